// Group sync: data, then slot tables, then synced_seq in the superblock (decision 9). By interval or bytes,
// only when something is dirty. A failed sync is never repeated: what it did not make durable is given up
// (promises 5.3).
#include <algorithm>

#include "base/assert.h"
#include "base/hooks.h"
#include "tier/disk/volume.h"

namespace terrace::tier::disk {
namespace {

constexpr auto kRanksInterval = std::chrono::seconds(30);

io::IoRequest sync_of(io::File& file) {
  return {.op = io::IoOp::kSync,
          .io_class = io::IoClass::kWrite,
          .file = &file,
          .offset = 0,
          .vec = {},
          .done = nullptr};
}

}  // namespace

bool DiskVolume::dirty() const {
  return synced_seq_due_ || segments_dirty_ || namespaces_dirty_ || !stale_.empty();
}

void DiskVolume::arm_sync() {
  if (timers_[kSyncTimer].armed || sync_run_ != nullptr || closing_ || !opened_ || !dirty()) return;
  arm(kSyncTimer, base::after(parts_.clock.now(), options_.sync_interval), &DiskVolume::begin_sync);
}

void DiskVolume::sync(Done done) {
  bool refused = false;
  {
    const base::Lock lock(mutex_);
    refused = !opened_ || closing_;
    if (!refused) sync_waiters_.push_back(std::move(done));
  }
  if (refused) return done(fail(Code::kClosed, "the disk path is closed"));
  post([this] { begin_sync(); });
}

// Evicted blocks' entries are cleared first, so that at most an interval of evictions comes back after kill
// -9.
void DiskVolume::begin_sync() {
  {
    const base::Lock lock(mutex_);
    if (sync_run_ != nullptr || !opened_) return;  // its end looks again
    sync_run_ = std::make_unique<SyncRun>();
    sync_run_->hold = hold_locked();
    sync_run_->waiters = std::exchange(sync_waiters_, {});
    sync_run_->clean = clean_wanted_;
  }
  TERRACE_CRASH_POINT("disk.sync_begun");
  retire_lost();
  auto join = std::make_shared<Join>([this](Result<void> cleared) {
    {
      const base::Lock run(mutex_);
      sync_run_->removals = cleared;
    }
    sync_data();
  });
  clear_stale(join);
}

void DiskVolume::sync_data() {
  std::vector<io::IoRequest> requests;
  std::vector<io::IoRequest> ranks;
  {
    const base::Lock lock(mutex_);
    SyncRun& run = *sync_run_;
    // A seq is given when the record is written and its segment marked dirty: up to here every record is
    // synced now.
    run.seq = seq_;
    synced_seq_due_ = false;
    run.vouches = recovered_ && !unverified_;
    segments_dirty_ = false;
    unsynced_bytes_ = 0;
    ranks = rank_writes(run);
    run.namespaces_dirty = std::exchange(namespaces_dirty_, false);
    for (uint32_t number = 0; number < table_->size(); ++number) {
      SegmentRecord& segment = table_->segment(number);
      if (!segment.data_dirty && !segment.table_dirty) continue;
      if (segment.layout == LayoutState::kPreparing) {  // its files are being made
        TERRACE_PROBE("disk.sync_meets_a_new_layout");
        segments_dirty_ = true;
        continue;
      }
      if (segment.lost && !segment.retired) {
        run.removals = fail(Code::kIo, "a segment is out of reach: what was removed from it may come back");
        continue;
      }
      segment.data_dirty = segment.table_dirty = false;
      if (segment.lost || segment.data == nullptr) continue;
      if (TERRACE_MUTANT("disk.skip_sync")) continue;
      run.segments.push_back(number);
      requests.push_back(sync_of(*segment.data));
    }
    run.failed.assign(run.segments.size(), false);
  }
  TERRACE_CRASH_POINT("disk.sync_data_begun");
  for (auto& rank : ranks) requests.push_back(std::move(rank));
  gather(parts_.scheduler, std::move(requests), [this](std::vector<Result<void>> results) {
    {
      const base::Lock lock(mutex_);
      for (size_t i = 0; i < sync_run_->segments.size(); ++i) {
        if (!results[i]) sync_failed(i, results[i].error());
      }
    }
    TERRACE_CRASH_POINT("disk.sync_data_ended");
    ranks_ended();
    sync_tables();
  });
}

void DiskVolume::sync_tables() {
  std::vector<io::IoRequest> requests;
  {
    const base::Lock lock(mutex_);
    for (const uint32_t number : sync_run_->segments)
      requests.push_back(sync_of(*table_->segment(number).table));
    if (sync_run_->namespaces_dirty != 0) requests.push_back(sync_of(*namespaces_file_));
  }
  gather(parts_.scheduler, std::move(requests), [this](std::vector<Result<void>> results) {
    Notices notices;
    {
      const base::Lock lock(mutex_);
      SyncRun& run = *sync_run_;
      for (size_t i = 0; i < run.segments.size(); ++i) {
        if (!results[i]) sync_failed(i, results[i].error());
        if (!run.failed[i]) continue;
        lose_unsynced(run.segments[i], notices);
        clear_again(run.segments[i]);
        count_outcome(false, notices);
        device_error(run.segments[i], Error{Code::kIo, 0, "a segment could not be synced"}, notices);
      }
    }
    TERRACE_CRASH_POINT("disk.sync_tables_ended");
    deliver(std::move(notices));
    sync_superblock();
  });
}

void DiskVolume::sync_failed(size_t position, const Error& error) {
  SyncRun& run = *sync_run_;
  if (error.code == Code::kIo) {
    TERRACE_PROBE("disk.sync_failed");
    run.failed[position] = true;
    return;
  }
  // Never began (a full queue): nothing is lost, and nothing vouched for.
  run.vouches = false;
  synced_seq_due_ = true;
  SegmentRecord& segment = table_->segment(run.segments[position]);
  segment.data_dirty = segment.table_dirty = segments_dirty_ = true;
}

// Entries of the lost blocks are cleared before the next sync; the reads of those that come back verify them
// anyway.
void DiskVolume::lose_unsynced(uint32_t number, Notices& notices) {
  SegmentRecord& segment = table_->segment(number);
  for (uint32_t index = 0; index < segment.slots.size(); ++index) {
    const SlotRecord& slot = segment.slots[index];
    const bool synced = slot.seq == 0 || slot.seq <= superblock_.synced_seq;
    if (slot.state != SlotState::kLive || synced) continue;
    const Place place = make_place(number_, number, index);
    TERRACE_PROBE("disk.unsynced_block_given_up");
    lose_block(place, notices);
    stale_.push_back(place);
  }
}

// What was removed may still stand on the device: the next sync clears it once more.
void DiskVolume::clear_again(uint32_t number) {
  SegmentRecord& segment = table_->segment(number);
  segment.table_dirty = segments_dirty_ = true;
  for (uint32_t index = 0; index < segment.slots.size(); ++index) {
    SlotRecord& slot = segment.slots[index];
    const bool idle = slot.state == SlotState::kFree || slot.state == SlotState::kPlaced;
    if (!idle || slot.entry != EntryState::kClear || slot.generation == 0) continue;
    slot.entry = EntryState::kStale;
    stale_.push_back(make_place(number_, number, index));
  }
}

void DiskVolume::sync_superblock() {
  auto page = memory::PageBuffer::make(kPage);
  if (!page) return end_sync(std::unexpected(page.error()));
  io::IoRequest request{.op = io::IoOp::kWrite,
                        .io_class = io::IoClass::kWrite,
                        .file = &superblock_file_->file(),
                        .offset = 0,
                        .vec = {},
                        .done = nullptr};
  {
    const base::Lock lock(mutex_);
    Superblock next = superblock_;
    // Until recovery has verified everything that was not synced before, nothing is vouched for.
    if (sync_run_->vouches) {
      next.synced_seq = std::max(next.synced_seq, sync_run_->seq);
      next.boot_id = boot_id_;
    }
    next.flags = sync_run_->clean ? kCleanFlag : 0;
    sync_run_->page = std::move(*page);
    request.offset = superblock_file_->seal_next(next, sync_run_->page.bytes());
    request.vec[0] = {sync_run_->page.data(), kPage};
    superblock_ = next;
  }
  request.done = [this](Result<void> written) {
    if (!written) return end_sync(written);
    TERRACE_CRASH_POINT("disk.sync_superblock_written");
    io::IoRequest sync = sync_of(superblock_file_->file());
    sync.done = [this](Result<void> synced) { end_sync(synced); };
    parts_.scheduler.submit(std::move(sync));
  };
  parts_.scheduler.submit(std::move(request));
}

void DiskVolume::end_sync(Result<void> result) {
  std::unique_ptr<SyncRun> run;
  Notices notices;
  bool again = false;
  {
    const base::Lock lock(mutex_);
    run = std::move(sync_run_);
    if (result) {
      superblock_file_->turn_taken();  // else the same copy once more: the other is whole
    } else if (result.error().code == Code::kIo) {
      last_error_ = to_string(result.error());
      count_outcome(false, notices);
      TERRACE_PROBE("disk.superblock_not_written");
      synced_seq_due_ = true;
    }
    for (const bool failed : run->failed) {
      if (failed && result)
        result = fail(Code::kIo, "a segment could not be synced; its unsynced blocks are given up");
    }
    if (result) result = run->removals;
    again = !sync_waiters_.empty();
    if (!again) arm_sync();
  }
  TERRACE_CRASH_POINT("disk.sync_ended");
  deliver(std::move(notices));
  for (Done& waiter : run->waiters) waiter(result);
  if (again) {
    TERRACE_PROBE("disk.sync_again_at_once");
    post([this] { begin_sync(); });
  }
}

// The order of use: now and then beside a sync that runs anyway, and at close.
std::vector<io::IoRequest> DiskVolume::rank_writes(SyncRun& run) {
  std::vector<io::IoRequest> requests;
  const base::TimePoint now = parts_.clock.now();
  if (!run.clean && now - ranks_written_ < kRanksInterval) return requests;
  ranks_written_ = now;
  for (uint32_t number = 0; number < table_->size(); ++number) {
    SegmentRecord& segment = table_->segment(number);
    if (!segment.ranks_dirty || segment.layout != LayoutState::kReady || segment.lost) continue;
    segment.ranks_dirty = false;
    TERRACE_CRASH_POINT("disk.ranks_written");
    const auto slots = static_cast<uint32_t>(segment.slots.size());
    auto pages = memory::PageBuffer::make(rank_pages(slots) * kPage);
    if (!pages) continue;
    for (uint32_t first = 0; first < slots; first += 511) {
      RankPage page;
      for (uint32_t i = 0; i < 511 && first + i < slots; ++i) page.ranks[i] = segment.slots[first + i].rank;
      seal(page, entry_seed(superblock_.secret, segment.generation, number, first));
      std::memcpy(pages->data() + first / 511 * kPage, &page, sizeof page);
    }
    io::IoRequest request{.op = io::IoOp::kWrite,
                          .io_class = io::IoClass::kWrite,
                          .file = segment.table.get(),
                          .offset = ranks_offset(slots),
                          .vec = {},
                          .done = nullptr};
    request.vec[0] = {pages->data(), pages->size()};
    requests.push_back(std::move(request));
    run.ranks.push_back(std::move(*pages));
    run.rank_segments.push_back(number);
    ++segment.table_ios;
  }
  return requests;
}

void DiskVolume::ranks_ended() {
  std::vector<uint32_t> prepare_now;
  {
    const base::Lock lock(mutex_);
    for (const uint32_t number : std::exchange(sync_run_->rank_segments, {})) {
      SegmentRecord& segment = table_->segment(number);
      --segment.table_ios;
      if (segment.layout != LayoutState::kPreparing || segment.table_ios > 0 || segment.preparing) continue;
      segment.preparing = true;
      prepare_now.push_back(number);
    }
  }
  for (const uint32_t number : prepare_now) post([this, number] { prepare(number); });
}

}  // namespace terrace::tier::disk
