// Deadlines, breaker and probes, quarantine (T2, P9, P10).
#include "base/hooks.h"
#include "tier/disk/volume.h"

namespace terrace::tier::disk {

// --- deadlines: one timer for all operations ---

uint64_t DiskVolume::watch(base::TimePoint deadline) {
  if (deadline == base::kForever || TERRACE_MUTANT("disk.ignore_deadline")) return 0;
  const uint64_t id = next_watch_++;
  deadlines_.emplace(deadline, id);
  watches_.emplace(id, deadline);
  arm(kDeadlineTimer, deadline, &DiskVolume::deadlines_due);
  return id;
}

void DiskVolume::deadlines_due() {
  Notices notices;
  {
    const base::Lock lock(mutex_);
    const base::TimePoint now = parts_.clock.now();
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
      watches_.erase(deadlines_.begin()->second);
      deadlines_.erase(deadlines_.begin());
      TERRACE_PROBE("disk.deadline_passed");
      last_error_ = "an operation passed its deadline";
      count_outcome(false, notices);
    }
    if (!deadlines_.empty()) arm(kDeadlineTimer, deadlines_.begin()->first, &DiskVolume::deadlines_due);
  }
  deliver(std::move(notices));
}

void DiskVolume::operation_ended(uint64_t watch, uint32_t segment, const Result<void>& result,
                                 Notices& notices) {
  if (watch != 0) {
    const auto found = watches_.find(watch);
    if (found == watches_.end()) {  // late: counted already
      if (!result && result.error().code == Code::kIo) {
        TERRACE_PROBE("disk.ended_after_its_deadline");
        device_error(segment, result.error(), notices);
      }
      return;
    }
    deadlines_.erase({found->second, watch});
    watches_.erase(found);
  }
  if (result) return count_outcome(true, notices);
  // What says nothing of the device is not held against it: cancelled, refused, at the end of a file, full.
  if (result.error().code != Code::kIo) return;
  count_outcome(false, notices);
  device_error(segment, result.error(), notices);
}

// --- breaker ---

void DiskVolume::count_outcome(bool ok, Notices& notices) {
  if (TERRACE_MUTANT("disk.breaker_never_opens") || !breaker_.record(ok, parts_.clock.now())) return;
  notices.state_changed = true;
  arm(kProbeTimer, breaker_.probe_at(), &DiskVolume::probe);
}

// Writes a page and reads it back: a device that only reads is of no use to a store.
void DiskVolume::probe() {
  bool opened = false;
  {
    const base::Lock lock(mutex_);
    if (closing_) return;
    breaker_.probe_started();
    opened = opened_;
  }
  if (!opened) {
    const auto result = open();
    if (!result) {
      const base::Lock lock(mutex_);
      last_error_ = result.error().message;
    }
    probe_ended(result.has_value());
    if (result) {
      TERRACE_PROBE("disk.opened_by_a_probe");
      begin_recovery();
    }
    return;
  }
  const base::TimePoint begun = parts_.clock.now();
  const auto request = [this](io::IoOp op) {
    io::IoRequest made{.op = op,
                       .io_class = io::IoClass::kLoad,
                       .file = &superblock_file_->file(),
                       .offset = kProbeOffset,
                       .vec = {},
                       .done = nullptr};
    made.vec[0] = {probe_page_.data(), kPage};
    return made;
  };
  auto write = request(io::IoOp::kWrite);
  write.done = [this, begun, request, held = hold()](Result<void> written) mutable {
    if (!written) return probe_ended(false);
    auto read = request(io::IoOp::kRead);
    read.done = [this, begun, held = std::move(held)](Result<void> result) {
      // In time, or it is not healthy yet (P10).
      probe_ended(result && parts_.clock.now() - begun <= std::chrono::seconds(1));
    };
    parts_.scheduler.submit(std::move(read));
  };
  parts_.scheduler.submit(std::move(write));
}

void DiskVolume::probe_ended(bool ok) {
  Notices notices;
  {
    const base::Lock lock(mutex_);
    ok = ok && !TERRACE_MUTANT("disk.breaker_never_closes");
    notices.state_changed = breaker_.probe_ended(ok, parts_.clock.now());
    if (breaker_.open()) {
      TERRACE_PROBE("disk.probe_ended");
      arm(kProbeTimer, breaker_.probe_at(), &DiskVolume::probe);
    }
  }
  deliver(std::move(notices));
}

// --- segments ---

void DiskVolume::device_error(uint32_t number, const Error& error, Notices& notices) {
  last_error_ = to_string(error);
  SegmentRecord& segment = table_->segment(number);
  if (++segment.device_errors == options_.quarantine_after) quarantine(number, notices);
}

void DiskVolume::lose_block(Place place, Notices& notices) {
  SlotRecord& slot = *table_->find(place);
  notices.gone.emplace_back(slot.key, place);
  table_->free(place);
  slot.entry = EntryState::kStale;
}

void DiskVolume::quarantine(uint32_t number, Notices& notices) {
  SegmentRecord& segment = table_->segment(number);
  TERRACE_PROBE("disk.segment_quarantined");
  segment.lost = true;
  table_->slots().quarantine(number);
  for (uint32_t index = 0; index < segment.slots.size(); ++index) {
    if (segment.slots[index].state == SlotState::kLive) {
      TERRACE_PROBE("disk.block_lost_with_its_segment");
      lose_block(make_place(number_, number, index), notices);
    }
  }
  notices.state_changed = true;
  // After a restart its blocks must not come back: they may have been removed meanwhile (D1).
  ++segments_out_of_reach_;
  if (!closing_) notices.retire.push_back(number);
}

void DiskVolume::retire(uint32_t number) {
  auto page = memory::PageBuffer::make(kPage);
  if (!page) return;
  io::File* file = nullptr;
  SegmentHeader header;
  {
    const base::Lock lock(mutex_);
    const SegmentRecord& segment = table_->segment(number);
    if (segment.retired) return;
    file = segment.table.get();
    header.store_id = superblock_.store_id;
    header.secret = superblock_.secret;
    header.segment_bytes = superblock_.segment_bytes;
    header.slot_bytes = segment.slot_bytes;
    header.slot_count = static_cast<uint32_t>(segment.slots.size());
    header.generation = next_generation();
  }
  header.flags = kRetiredFlag;
  header.segment = number;
  seal(header, page->bytes());
  // On a dying device this may fail: then the segment stays out of reach until a sync tries again.
  if (file != nullptr && (!parts_.files.write(*file, 0, page->bytes()) || !parts_.files.sync(*file))) return;
  const base::Lock lock(mutex_);
  if (!std::exchange(table_->segment(number).retired, true)) --segments_out_of_reach_;
}

void DiskVolume::retire_lost() {
  std::vector<uint32_t> lost;
  {
    const base::Lock lock(mutex_);
    for (uint32_t number = 0; number < table_->size(); ++number) {
      const SegmentRecord& segment = table_->segment(number);
      if (segment.lost && !segment.retired) lost.push_back(number);
    }
  }
  for (const uint32_t number : lost) retire(number);
}

}  // namespace terrace::tier::disk
