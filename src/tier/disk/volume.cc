#include "tier/disk/volume.h"

#include <algorithm>

#include "base/assert.h"
#include "base/hooks.h"
#include "tier/disk/namespaces_file.h"
#include "tier/disk/read.h"

namespace terrace::tier::disk {

DiskVolume::DiskVolume(uint32_t number, VolumeOptions options, VolumeParts parts)
    : number_(number), options_(std::move(options)), parts_(parts), breaker_(options_.breaker) {}

DiskVolume::~DiskVolume() {
  wait_for_pending(base::kForever);
}

// --- what still runs ---

Hold::~Hold() {
  if (volume_ != nullptr) volume_->release();
}

Hold DiskVolume::hold() {
  const base::Lock lock(mutex_);
  return hold_locked();
}

Hold DiskVolume::hold_locked() {
  ++pending_;
  return Hold(*this);
}

void DiskVolume::release() {
  const base::Lock lock(mutex_);
  release_locked();
}

// Signalled under the mutex: the waiter takes it once more before it destroys anything.
void DiskVolume::release_locked() {
  TERRACE_ASSERT(pending_ > 0);
  if (--pending_ == 0 && drained_ != nullptr) parts_.executor.signal(*drained_);
}

bool DiskVolume::wait_for_pending(base::TimePoint deadline) {
  base::Event drained;
  {
    const base::Lock lock(mutex_);
    if (pending_ == 0) return true;
    drained_ = &drained;
  }
  parts_.executor.wait(drained, deadline);
  const base::Lock lock(mutex_);
  drained_ = nullptr;
  return pending_ == 0;
}

void DiskVolume::post(base::Task task) {
  parts_.executor.post([task = std::move(task), held = hold()]() mutable { task(); });
}

void DiskVolume::arm(TimerOf of, base::TimePoint when, void (DiskVolume::*then)()) {
  Timer& timer = timers_[of];
  // Earlier than it was armed for: once more. If it cannot be cancelled it runs just now, and arms itself.
  if (timer.armed && when < timer.when && parts_.executor.cancel(timer.id)) {
    timer.armed = false;
    TERRACE_PROBE("disk.timer_set_earlier");
    release_locked();
  }
  if (timer.armed || closing_) return;
  // Runs after the mutex is let go, whenever it is due.
  timer.id = parts_.executor.post_at(when, [this, of, then] {
    {
      const base::Lock lock(mutex_);
      timers_[of].armed = false;
    }
    (this->*then)();
    release();
  });
  if (timer.id == 0) return;  // the executor stops
  timer.armed = true;
  timer.when = when;
  ++pending_;
}

// Only where it may not be armed again: closing.
void DiskVolume::disarm(TimerOf of) {
  base::TimerId id = 0;
  {
    const base::Lock lock(mutex_);
    if (!timers_[of].armed) return;
    id = timers_[of].id;
  }
  if (!parts_.executor.cancel(id)) return;  // it runs, and releases itself
  const base::Lock lock(mutex_);
  timers_[of].armed = false;
  release_locked();
}

void DiskVolume::deliver(Notices notices) {
  for (const uint32_t segment : notices.retire) post([this, segment] { retire(segment); });
  if (listener_ == nullptr) return;
  for (const auto& [key, place] : notices.gone) listener_->gone(key, place);
  if (notices.state_changed) listener_->state_changed();
}

// --- places ---

bool DiskVolume::usable() const {
  return opened_ && !closing_ && !breaker_.open();
}

uint64_t DiskVolume::next_generation() {
  if (TERRACE_MUTANT("disk.forget_generation")) return uint64_t{1} << kEpochShift;
  return (uint64_t{superblock_.epoch} << kEpochShift) | ++counter_;
}

PlaceAnswer DiskVolume::place(const record::BlockMeta& meta) {
  const uint64_t bytes = record::record_bytes(meta.payload_bytes);
  Placement answer;
  uint32_t prepare_segment = kNoSegment;
  {
    const base::Lock lock(mutex_);
    if (!usable()) return std::unexpected(PlaceRefused{.why = Refusal::kUnavailable, .domain = number_});
    if (growth_stopped_ && parts_.clock.now() >= grow_again_) {
      TERRACE_PROBE("disk.grows_again");
      growth_stopped_ = false;
      if (!TERRACE_MUTANT("disk.never_grow_again")) table_->end_withholding();
    }
    const auto slot = table_->slots().allocate(bytes);
    // Segments that recovery has yet to read may be empty: nothing is evicted for want of them.
    if (!slot && slot.error().code == Code::kNoRoom && !recovery_over_) {
      return std::unexpected(PlaceRefused{.why = Refusal::kUnavailable, .domain = number_});
    }
    if (!slot) {
      const uint64_t slot_bytes = table_->slots().class_for(bytes);
      return std::unexpected(
          PlaceRefused{.why = slot.error().code == Code::kNoRoom ? Refusal::kNoRoom : Refusal::kTooLarge,
                       .bucket = make_bucket(number_, slot_bytes),
                       .segments_help = slot.error().code == Code::kNoRoom && table_->segments_help(),
                       .domain = number_});
    }
    SegmentRecord& segment = table_->segment(slot->segment);
    if (segment.layout == LayoutState::kNone || segment.slot_bytes != slot->bytes) {
      start_layout(slot->segment, slot->bytes);
      if (!segment.preparing && segment.table_ios == 0) {
        segment.preparing = true;
        prepare_segment = slot->segment;
      }
    }
    SlotRecord& record = segment.slots[slot->index];
    record.key = meta.key;
    record.generation = next_generation();
    record.payload_bytes = static_cast<uint32_t>(meta.payload_bytes);
    record.state = SlotState::kPlaced;
    answer.place = make_place(number_, slot->segment, slot->index);
    answer.binding = make_binding(superblock_.store_id, slot->segment, record.generation, slot->offset());
    answer.bucket = make_bucket(number_, slot->bytes);
    answer.segment = make_segment(number_, slot->segment);
  }
  if (prepare_segment != kNoSegment) post([this, prepare_segment] { prepare(prepare_segment); });
  return answer;
}

void DiskVolume::withdraw(Place place, uint64_t payload_bytes) {
  const base::Lock lock(mutex_);
  if (!opened_) return;
  const SlotRecord* const slot = table_->find(place);
  if (slot == nullptr || slot->state != SlotState::kPlaced || slot->payload_bytes != payload_bytes) return;
  table_->free(place);
}

// A write, removal or clearing of the slot has ended: what waited for that looks again.
void DiskVolume::finish_slot(Place place) {
  std::vector<base::Task> waiting;
  {
    const base::Lock lock(mutex_);
    const auto found = waiters_.find(place);
    if (found == waiters_.end()) return;
    waiting = std::move(found->second);
    waiters_.erase(found);
  }
  for (base::Task& task : waiting) task();
}

record::Secret DiskVolume::secret() const {
  const base::Lock lock(mutex_);
  return superblock_.secret;
}

record::Binding DiskVolume::binding(Place place) const {
  const base::Lock lock(mutex_);
  const SlotRecord* const slot = opened_ ? table_->find(place) : nullptr;
  if (slot == nullptr) return {};
  const uint64_t offset = index_of(place) * table_->segment(segment_of(place)).slot_bytes;
  return make_binding(superblock_.store_id, segment_of(place), slot->generation, offset);
}

bool DiskVolume::available() const {
  const base::Lock lock(mutex_);
  return usable();
}

bool DiskVolume::opened() const {
  const base::Lock lock(mutex_);
  return opened_;
}

void DiskVolume::used(Place place, uint64_t rank) {
  const base::Lock lock(mutex_);
  SlotRecord* const slot = opened_ ? table_->find(place) : nullptr;
  if (slot == nullptr || slot->state != SlotState::kLive || slot->rank == rank) return;
  slot->rank = rank;
  table_->segment(segment_of(place)).ranks_dirty = true;
}

// --- namespaces ---

void DiskVolume::remember_namespace(const KnownNamespace& known) {
  if (!known.known) return;
  uint64_t offset = 0;
  std::vector<std::byte> record;
  {
    const base::Lock lock(mutex_);
    KnownNamespace& there = namespaces_[known.root];
    if (there.known && there.root == known.root) return;
    there = known;
    if (!opened_ || closing_ || namespaces_file_ == nullptr) return;
    auto encoded = encode_namespace(known, superblock_.secret);
    // Without room in the table it is remembered until the process ends.
    if (!encoded || namespaces_end_ + encoded->size() > kNamespacesBytesMax) return;
    record = std::move(*encoded);
    offset = namespaces_end_;
    namespaces_end_ += record.size();
  }
  post([this, offset, record = std::move(record)] {
    TERRACE_CRASH_POINT("disk.namespace_write");
    const auto written = parts_.files.write(*namespaces_file_, offset, record);
    const base::Lock lock(mutex_);
    if (!written) {
      last_error_ = to_string(written.error());
      return;
    }
    TERRACE_CRASH_POINT("disk.namespace_written");
    namespaces_dirty_ = true;
    arm_sync();
  });
}

std::vector<KnownNamespace> DiskVolume::namespaces() const {
  const base::Lock lock(mutex_);
  std::vector<KnownNamespace> all;
  for (const auto& [root, known] : namespaces_) all.push_back(known);
  std::ranges::sort(all, {}, &KnownNamespace::root);
  return all;
}

// --- state ---

PathStatus DiskVolume::path_status() const {
  const base::Lock lock(mutex_);
  PathStatus status{.path = options_.path, .state = State::kReady, .last_error = last_error_};
  bool damaged = false;
  for (uint32_t i = 0; opened_ && i < table_->size(); ++i) {
    damaged = damaged || table_->segment(i).lost || table_->segment(i).unusable;
  }
  if (closed_ || closing_) {
    status.state = State::kClosed;
  } else if (!opened_ || breaker_.open()) {
    status.state = State::kUnavailable;
  } else if (!recovered_) {
    status.state = State::kRecovering;
  } else if (damaged || growth_stopped_) {
    status.state = State::kDegraded;
  }
  return status;
}

Usage DiskVolume::usage() const {
  const base::Lock lock(mutex_);
  Usage usage{.capacity_bytes = options_.capacity_bytes};
  if (!opened_) return usage;
  usage.used_bytes = table_->slots().usage().used_bytes;
  usage.blocks = table_->live_blocks;
  usage.allocated_bytes =
      table_->disk_bytes() + kSuperblockFileBytes + kPage + base::round_up(namespaces_end_, kPage);
  return usage;
}

uint64_t DiskVolume::recovered_blocks() const {
  const base::Lock lock(mutex_);
  return recovered_blocks_;
}

std::string DiskVolume::engine() const {
  const auto info = parts_.scheduler.engine();
  std::string text(info.name);
  const base::Lock lock(mutex_);
  if (superblock_file_)
    text += superblock_file_->file().direct() ? ", O_DIRECT" : ", buffered (O_DIRECT refused)";
  if (!info.reason.empty()) text += " (" + std::string(info.reason) + ")";
  return text;
}

uint64_t DiskVolume::close(base::TimePoint deadline) {
  bool flush = false;
  {
    const base::Lock lock(mutex_);
    if (closed_) return 0;
    closing_ = true;
    flush = opened_;
  }
  TERRACE_CRASH_POINT("disk.close_begun");
  disarm(kSyncTimer);
  disarm(kProbeTimer);
  disarm(kDeadlineTimer);
  bool drained = wait_for_pending(deadline);
  TERRACE_CRASH_POINT("disk.close_drained");
  if (drained && flush) {
    {
      const base::Lock lock(mutex_);
      clean_wanted_ = true;
    }
    begin_sync();
    drained = wait_for_pending(deadline);
  }
  const base::Lock lock(mutex_);
  closed_ = true;
  if (pending_ > 0) return pending_;
  TERRACE_CRASH_POINT("disk.close_flushed");
  // Released here, not in the destructor: the directory may be opened again at once.
  superblock_file_.reset();
  namespaces_file_.reset();
  table_.reset();
  opened_ = false;
  TERRACE_CRASH_POINT("disk.close_unlocks");
  lock_.reset();
  return 0;
}

}  // namespace terrace::tier::disk
