// Taking blocks away: from memory only (evict), or so that they stay gone (remove), or with their bytes
// (erase).
#include <algorithm>

#include "base/hooks.h"
#include "tier/disk/volume.h"

namespace terrace::tier::disk {

void DiskVolume::remove(std::span<const RemoveOp> batch, RemoveKind kind, const std::shared_ptr<Join>& join) {
  {
    const base::Lock lock(mutex_);
    if (!opened_ || closing_) {
      join->failed(Error{Code::kClosed, 0, "the disk path is closed"});
      return;
    }
    // A path that a probe opened late: what it has yet to announce nobody can have named in `batch`.
    if (!recovery_over_ && kind != RemoveKind::kEvict) {
      join->failed(Error{Code::kUnavailable, 0, "the disk path is still recovering"});
    }
    if (segments_out_of_reach_ > 0 && kind != RemoveKind::kEvict) await_reach(join);
  }
  for (const RemoveOp& op : batch) remove_one(op, kind, join);
  if (kind != RemoveKind::kEvict) clear_stale(join);
}

// What some segments hold cannot be removed today, and would be back tomorrow (D1). Those that are being laid
// out anew are awaited.
void DiskVolume::await_reach(const std::shared_ptr<Join>& join) {
  const Error error{Code::kIo, 0, "a segment is out of reach: what it holds cannot be removed"};
  uint32_t awaited = 0;
  for (uint32_t number = 0; number < table_->size(); ++number) {
    SegmentRecord& segment = table_->segment(number);
    if (!segment.old_entries || segment.layout != LayoutState::kPreparing) continue;
    ++awaited;
    segment.after_layout.push_back([this, number, join, error] {
      const base::Lock lock(mutex_);
      if (table_->segment(number).old_entries) join->failed(error);
    });
  }
  if (segments_out_of_reach_ > awaited) join->failed(error);
}

void DiskVolume::remove_one(const RemoveOp& op, RemoveKind kind, const std::shared_ptr<Join>& join) {
  Clearing clearing;
  {
    const base::Lock lock(mutex_);
    SlotRecord* const slot = table_->find(op.place);
    if (slot == nullptr || slot->key != op.key) return;
    switch (slot->state) {
      case SlotState::kFree:
        return;
      case SlotState::kPlaced:
        table_->free(op.place);
        return;
      case SlotState::kWriting:
      case SlotState::kRemoving:
        // Again when the write or the other removal has ended.
        waiters_[op.place].push_back([this, op, kind, join] { remove_one(op, kind, join); });
        return;
      case SlotState::kLive:
        break;
    }
    if (kind == RemoveKind::kEvict) {
      TERRACE_CRASH_POINT("disk.evicted");
      table_->free(op.place);
      if (TERRACE_MUTANT("disk.forget_evicted_entry")) return;
      slot->entry = EntryState::kStale;
      stale_.push_back(op.place);
      arm_sync();
      return;
    }
    slot->state = SlotState::kRemoving;
    TERRACE_CRASH_POINT("disk.remove_begun");
    --table_->live_blocks;
    clearing = begin_clear(op.place);
  }
  clear_entry(std::move(clearing), [this, op, kind, join](Result<void> cleared) {
    if (kind == RemoveKind::kRemove) return end_remove(op.place, cleared, join);
    TERRACE_PROBE("disk.slot_erased");
    zero_slot(op.place, record::record_bytes(op.payload_bytes),
              [this, op, join, cleared](Result<void> zeroed) {
                end_remove(op.place, cleared ? zeroed : cleared, join);
              });
  });
}

void DiskVolume::end_remove(Place place, Result<void> result, const std::shared_ptr<Join>& join) {
  TERRACE_CRASH_POINT("disk.remove_ended");
  if (!result) join->failed(result.error());
  {
    const base::Lock lock(mutex_);
    table_->free(place);
    arm_sync();
  }
  finish_slot(place);
}

DiskVolume::Clearing DiskVolume::begin_clear(Place place) {
  SegmentRecord& segment = table_->segment(segment_of(place));
  table_->find(place)->entry = EntryState::kClearing;
  clearings_.insert(place);
  ++segment.table_ios;
  return {place, segment.generation, segment.table.get(), hold_locked()};
}

void DiskVolume::clear_entry(Clearing clearing, std::move_only_function<void(Result<void>)> then) {
  io::IoRequest request{.op = io::IoOp::kWrite,
                        .io_class = io::IoClass::kWrite,
                        .file = clearing.file,
                        .offset = entry_offset(index_of(clearing.place)),
                        .vec = {},
                        .done = nullptr};
  request.vec[0] = {zeros_.data(), sizeof(SlotEntry)};
  if (TERRACE_MUTANT("disk.skip_entry_clear")) request.op = io::IoOp::kSync;
  request.done = [this, clearing = std::move(clearing), then = std::move(then)](Result<void> result) mutable {
    const uint32_t number = segment_of(clearing.place);
    bool prepare_now = false;
    Notices notices;
    {
      const base::Lock lock(mutex_);
      TERRACE_CRASH_POINT("disk.entry_cleared");
      table_write_ended(clearing.place);
      clearings_.erase(clearing.place);
      SegmentRecord& segment = table_->segment(number);
      if (segment.generation == clearing.layout) {
        SlotRecord& slot = *table_->find(clearing.place);
        slot.entry = result ? EntryState::kClear : EntryState::kStale;
        if (result) ++slot.clearings;
      }
      if (!result) stale_.push_back(clearing.place);  // tried again by the next sync or removal
      operation_ended(0, number, result, notices);
      // A new layout of the segment had to wait for this write.
      prepare_now = segment.layout == LayoutState::kPreparing && segment.table_ios == 0 && !segment.preparing;
      if (prepare_now) segment.preparing = true;
    }
    deliver(std::move(notices));
    if (prepare_now) {
      TERRACE_PROBE("disk.layout_after_the_last_clearing");
      post([this, number] { prepare(number); });
    }
    then(result);
  };
  parts_.scheduler.submit(std::move(request));
}

void DiskVolume::table_write_ended(Place place) {
  SegmentRecord& segment = table_->segment(segment_of(place));
  --segment.table_ios;
  segment.table_dirty = segments_dirty_ = true;
}

void DiskVolume::zero_slot(Place place, uint64_t bytes, std::move_only_function<void(Result<void>)> then) {
  std::vector<io::IoRequest> requests;
  Hold held;
  {
    const base::Lock lock(mutex_);
    SegmentRecord& segment = table_->segment(segment_of(place));
    TERRACE_CRASH_POINT("disk.erase_begun");
    segment.data_dirty = segments_dirty_ = true;
    held = hold_locked();
    const uint64_t start = index_of(place) * segment.slot_bytes;
    bytes = std::min(bytes, segment.slot_bytes);
    for (uint64_t at = 0; at < bytes; at += zeros_.size()) {
      io::IoRequest request{.op = io::IoOp::kWrite,
                            .io_class = io::IoClass::kWrite,
                            .file = segment.data.get(),
                            .offset = start + at,
                            .vec = {},
                            .done = nullptr};
      request.vec[0] = {zeros_.data(), std::min(zeros_.size(), bytes - at)};
      requests.push_back(std::move(request));
    }
  }
  gather(parts_.scheduler, std::move(requests),
         [held = std::move(held), then = std::move(then)](std::vector<Result<void>> results) mutable {
           TERRACE_CRASH_POINT("disk.erased");
           Result<void> result;
           for (const auto& one : results) {
             if (!one) result = one;
           }
           then(result);
         });
}

// `join` fails when the entry that is being cleared, or has yet to be, is not in the end. Cleared, the slot
// may be written and evicted before we look: that makes another stale entry, of a later block.
void DiskVolume::await_clearing(Place place, uint16_t before, const std::shared_ptr<Join>& join) {
  waiters_[place].push_back([this, place, before, join] {
    const base::Lock lock(mutex_);
    const SlotRecord* const slot = table_->find(place);
    if (slot == nullptr || slot->clearings != before) return;
    if (slot->entry == EntryState::kClearing) return await_clearing(place, before, join);  // once more
    if (slot->entry == EntryState::kStale) {
      join->failed(Error{Code::kIo, 0, "the entry of an evicted block could not be cleared"});
    }
  });
}

void DiskVolume::clear_stale(const std::shared_ptr<Join>& join) {
  std::vector<Clearing> begun;
  {
    const base::Lock lock(mutex_);
    // Those that run already, for whomever, may fail too.
    for (const Place place : clearings_) {
      const SlotRecord* const slot = table_->find(place);
      if (slot != nullptr && slot->entry == EntryState::kClearing) {
        await_clearing(place, slot->clearings, join);
      }
    }
    for (const Place place : std::exchange(stale_, {})) {
      const SlotRecord* const slot = table_->find(place);
      // Not when cleared meanwhile, by a new write, or when its segment was laid out anew.
      if (slot == nullptr || table_->segment(segment_of(place)).layout != LayoutState::kReady) continue;
      if (slot->entry != EntryState::kStale) continue;
      if (slot->state == SlotState::kRemoving) {  // a removal that failed has yet to say so
        stale_.push_back(place);
        await_clearing(place, slot->clearings, join);
        continue;
      }
      begun.push_back(begin_clear(place));
    }
  }
  for (Clearing& clearing : begun) {
    const Place place = clearing.place;
    clear_entry(std::move(clearing), [this, place, join](Result<void> result) {
      TERRACE_CRASH_POINT("disk.stale_cleared");
      if (!result) join->failed(result.error());
      finish_slot(place);
    });
  }
}

}  // namespace terrace::tier::disk
