// Writing a record: [clear the slot's old entry,] the record, the new entry. And making the files of a
// segment.
#include <utility>

#include "base/assert.h"
#include "base/hooks.h"
#include "tier/disk/volume.h"

namespace terrace::tier::disk {

// --- segments ---

// The segment gets a slot size. Its entries of before die with the generation.
void DiskVolume::start_layout(uint32_t number, uint64_t slot_bytes) {
  SegmentRecord& segment = table_->segment(number);
  TERRACE_ASSERT(segment.waiting.empty());
  segment.layout = LayoutState::kPreparing;
  TERRACE_CRASH_POINT("disk.layout_begun");
  segment.slot_bytes = slot_bytes;
  if (!TERRACE_MUTANT("disk.keep_layout_generation")) segment.generation = next_generation();
  segment.slots.assign(table_->slots().slots_in(number), {});
  segment.ranks_dirty = false;
  if (segment.table == nullptr || segment.old_entries) return;
  segment.old_entries = true;
  ++segments_out_of_reach_;
}

void DiskVolume::prepare(uint32_t number) {
  std::vector<std::unique_ptr<Write>> ready;
  std::vector<base::Task> after;
  Notices notices;
  Result<void> result;
  for (bool again = true; again;) {
    uint64_t slot_bytes = 0, generation = 0;
    {
      const base::Lock lock(mutex_);
      const SegmentRecord& segment = table_->segment(number);
      slot_bytes = segment.slot_bytes;
      generation = segment.generation;
    }
    result = lay_out(number, slot_bytes, generation);
    const base::Lock lock(mutex_);
    SegmentRecord& segment = table_->segment(number);
    // Emptied and given to another class meanwhile: once more.
    again = segment.generation != generation;
    if (again) {
      TERRACE_PROBE("disk.layout_overtaken");
      continue;
    }
    segment.preparing = false;
    ready.swap(segment.waiting);
    after.swap(segment.after_layout);
    if (result) {
      segment.layout = LayoutState::kReady;
      segment.table_dirty = segments_dirty_ = true;
    } else {
      TERRACE_PROBE("disk.no_files_for_a_segment");
      layout_failed(number, result.error(), notices);
    }
  }
  TERRACE_CRASH_POINT("disk.layout_ended");
  deliver(std::move(notices));
  for (base::Task& task : after) task();
  for (auto& write : ready) {
    if (result) {
      begin_write(std::move(write));
    } else {
      end_write(std::move(write), result);
    }
  }
}

// Header first: from then on the entries of an earlier layout no longer count.
Result<void> DiskVolume::lay_out(uint32_t number, uint64_t slot_bytes, uint64_t generation) {
  io::FileSystem& files = parts_.files;
  SegmentHeader header;
  std::unique_ptr<io::File> new_data, new_table;
  io::File *data = nullptr, *table = nullptr;
  {
    const base::Lock lock(mutex_);
    data = table_->segment(number).data.get();
    table = table_->segment(number).table.get();
    header.store_id = superblock_.store_id;
    header.secret = superblock_.secret;
    header.segment_bytes = superblock_.segment_bytes;
    header.slot_count = memory::SlotAllocator::slots_per_segment(table_->slots().options(), slot_bytes);
  }
  header.segment = number;
  header.slot_bytes = slot_bytes;
  header.generation = generation;
  const uint64_t data_size = header.slot_count * slot_bytes, table_size = table_bytes(header.slot_count);
  if (table == nullptr) {
    auto opened = files.open(path_of(table_name(number)), {.create = true});
    if (!opened) return std::unexpected(opened.error());
    new_table = std::move(*opened);
    table = new_table.get();
  }
  {
    const base::Lock lock(mutex_);
    table_->segment(number).disk_bytes =
        data_size + table_size;  // before the files grow: never counted too low
  }
  TERRACE_CRASH_POINT("disk.layout_table_made");
  auto page = memory::PageBuffer::make(kPage);
  if (!page) return std::unexpected(page.error());
  seal(header, page->bytes());
  if (auto written = files.write(*table, 0, page->bytes()); !written) return written;
  {
    const base::Lock lock(mutex_);
    if (std::exchange(table_->segment(number).old_entries, false)) --segments_out_of_reach_;
  }
  TERRACE_CRASH_POINT("disk.layout_header_written");
  if (auto made = files.allocate(*table, table_size); !made) return made;
  if (data == nullptr) {
    auto opened = files.open(path_of(data_name(number)), {.create = true, .direct = true});
    if (!opened) return std::unexpected(opened.error());
    new_data = std::move(*opened);
    data = new_data.get();
  }
  TERRACE_CRASH_POINT("disk.layout_data_made");
  if (auto made = files.allocate(*data, data_size); !made) return made;
  TERRACE_CRASH_POINT("disk.layout_data_grown");
  if (new_table || new_data) {
    if (auto synced = files.sync_directory(options_.path); !synced) return synced;
  }
  const base::Lock lock(mutex_);
  SegmentRecord& segment = table_->segment(number);
  if (new_table) segment.table = std::move(new_table);
  if (new_data) segment.data = std::move(new_data);
  return {};
}

// The tier goes on within the segments it has, and tries to grow again after a second (P8).
void DiskVolume::layout_failed(uint32_t number, const Error& error, Notices& notices) {
  SegmentRecord& segment = table_->segment(number);
  segment.layout = LayoutState::kNone;
  last_error_ = to_string(error);
  uint64_t held = 0;
  for (const std::string& name : {data_name(number), table_name(number)}) {
    if (const auto stat = parts_.files.stat(path_of(name)))
      held += base::round_up(stat->allocated_bytes, kPage);
  }
  segment.disk_bytes = held;
  notices.state_changed = true;
  if (error.code == Code::kForeign) {
    // Something else stands where its files belong: left alone. The other segments have theirs.
    segment.unusable = true;
    table_->slots().quarantine(number);
    return;
  }
  table_->withhold(number);
  table_->withhold_growth();
  growth_stopped_ = true;
  grow_again_ = base::after(parts_.clock.now(), std::chrono::seconds(1));
  if (error.code == Code::kIo) count_outcome(false, notices);
}

// --- writes ---

namespace {

bool whole_and_aligned(const WriteOp& op) {
  uint64_t bytes = 0;
  for (const io::IoVec& piece : op.record) {
    if (piece.bytes % kPage != 0 || (piece.bytes > 0 && reinterpret_cast<uintptr_t>(piece.data) % kPage != 0))
      return false;
    bytes += piece.bytes;
  }
  return bytes == record::record_bytes(op.meta.payload_bytes);
}

}  // namespace

void DiskVolume::write(WriteOp op) {
  auto write = std::make_unique<Write>();
  write->op = std::move(op);
  Result<void> admitted;
  {
    const base::Lock lock(mutex_);
    SlotRecord* const slot = opened_ ? table_->find(write->op.place) : nullptr;
    if (slot == nullptr || slot->state != SlotState::kPlaced || slot->key != write->op.meta.key ||
        slot->payload_bytes != write->op.meta.payload_bytes) {
      admitted = fail(opened_ ? Code::kInvalidArgument : Code::kClosed,
                      "the place was not given out for this block");
    } else {
      SegmentRecord& segment = table_->segment(segment_of(write->op.place));
      if (!whole_and_aligned(write->op)) {
        admitted = fail(Code::kInvalidArgument, "a record is written whole, from page-aligned memory");
      } else if (closing_) {
        admitted = fail(Code::kClosed, "the disk tier is closed");
      } else if (breaker_.open()) {
        TERRACE_PROBE("disk.write_refused_by_the_breaker");
        admitted = fail(Code::kUnavailable, "the disk path's breaker is open");
      } else if (segment.lost) {
        admitted = fail(Code::kIo, "the segment was quarantined after device errors");
      } else if (segment.layout == LayoutState::kNone) {
        admitted = fail(Code::kNoSpace, "the segment's files could not be made");
      }
      if (!admitted) {
        table_->free(write->op.place);
      } else {
        slot->state = SlotState::kWriting;
        write->hold = hold_locked();
        write->watch = watch(write->op.deadline);
        if (segment.layout == LayoutState::kPreparing) {
          TERRACE_PROBE("disk.write_waits_for_its_segment");
          segment.waiting.push_back(std::move(write));
          return;
        }
      }
    }
  }
  if (admitted) return begin_write(std::move(write));
  write->op.done(admitted);
}

void DiskVolume::begin_write(std::unique_ptr<Write> write) {
  const Place place = write->op.place;
  Clearing clearing;
  {
    const base::Lock lock(mutex_);
    const EntryState entry = table_->find(place)->entry;
    if (entry == EntryState::kClearing) {
      TERRACE_PROBE("disk.write_waits_for_a_clearing");
      waiters_[place].push_back(
          [this, write = std::move(write)]() mutable { begin_write(std::move(write)); });
      return;
    }
    if (entry == EntryState::kStale) {
      TERRACE_PROBE("disk.clears_before_it_writes");
      clearing = begin_clear(place);
    }
  }
  if (clearing.file == nullptr) return write_record(std::move(write));
  TERRACE_CRASH_POINT("disk.old_entry_clears");
  clear_entry(std::move(clearing), [this, write = std::move(write)](Result<void> result) mutable {
    if (result) return write_record(std::move(write));
    end_write(std::move(write), result);
  });
}

void DiskVolume::write_record(std::unique_ptr<Write> write) {
  TERRACE_CRASH_POINT("disk.record_begun");
  if (TERRACE_MUTANT("disk.publish_early")) {
    std::exchange(write->op.done, [](const Result<void>&) {})(Result<void>());
  }
  io::IoRequest request{.op = io::IoOp::kWrite,
                        .io_class = io::IoClass::kWrite,
                        .file = nullptr,
                        .offset = 0,
                        .vec = write->op.record,
                        .done = nullptr};
  {
    const base::Lock lock(mutex_);
    SegmentRecord& segment = table_->segment(segment_of(write->op.place));
    request.file = segment.data.get();
    request.offset = index_of(write->op.place) * segment.slot_bytes;
  }
  request.done = [this, write = std::move(write)](Result<void> result) mutable {
    record_written(std::move(write), result);
  };
  parts_.scheduler.submit(std::move(request));
}

void DiskVolume::record_written(std::unique_ptr<Write> write, Result<void> result) {
  TERRACE_CRASH_POINT("disk.record_written");
  if (!result && !TERRACE_MUTANT("disk.ignore_write_error")) return end_write(std::move(write), result);
  const Place place = write->op.place;
  const record::BlockMeta& meta = write->op.meta;
  io::IoRequest request{.op = io::IoOp::kWrite,
                        .io_class = io::IoClass::kWrite,
                        .file = nullptr,
                        .offset = entry_offset(index_of(place)),
                        .vec = {},
                        .done = nullptr};
  {
    const base::Lock lock(mutex_);
    SegmentRecord& segment = table_->segment(segment_of(place));
    SlotRecord& slot = *table_->find(place);
    segment.data_dirty = segments_dirty_ = true;
    write->seq = ++seq_;
    SlotEntry entry{.key = meta.key,
                    .family = meta.family,
                    .parent = meta.parent,
                    .root = meta.root,
                    .payload_bytes = meta.payload_bytes,
                    .generation = slot.generation,
                    .seq = write->seq,
                    .rank = write->op.rank,
                    .group = meta.member.group,
                    .shard = meta.member.shard,
                    .shards = meta.member.shards};
    write->entry =
        seal(entry, entry_seed(superblock_.secret, segment.generation, segment_of(place), index_of(place)));
    slot.entry = EntryState::kLive;
    ++segment.table_ios;
    request.file = segment.table.get();
  }
  if (TERRACE_MUTANT("disk.skip_entry_write")) write->entry = {};
  request.vec[0] = {write->entry.data(), write->entry.size()};
  request.done = [this, write = std::move(write)](Result<void> written) mutable {
    entry_written(std::move(write), written);
  };
  parts_.scheduler.submit(std::move(request));
}

void DiskVolume::entry_written(std::unique_ptr<Write> write, Result<void> result) {
  TERRACE_CRASH_POINT("disk.entry_written");
  {
    const base::Lock lock(mutex_);
    table_write_ended(write->op.place);
    SlotRecord& slot = *table_->find(write->op.place);
    if (result && table_->segment(segment_of(write->op.place)).lost) {
      result = fail(Code::kIo, "the segment was quarantined after device errors");
    }
    if (result) {
      slot.state = SlotState::kLive;
      slot.seq = write->seq;
      slot.rank = write->op.rank;
      ++table_->live_blocks;
      unsynced_bytes_ += record::record_bytes(write->op.meta.payload_bytes);
      synced_seq_due_ = true;
      KnownNamespace& known = namespaces_[write->op.meta.root];
      if (known.root != write->op.meta.root)
        known = {.root = write->op.meta.root, .fields = {}, .known = false};
    } else {
      TERRACE_PROBE("disk.entry_write_failed");
      slot.entry = EntryState::kStale;  // it may have reached the disk
      stale_.push_back(write->op.place);
    }
  }
  end_write(std::move(write), result);
}

void DiskVolume::end_write(std::unique_ptr<Write> write, Result<void> result) {
  const Place place = write->op.place;
  Notices notices;
  bool sync_now = false;
  {
    const base::Lock lock(mutex_);
    operation_ended(write->watch, segment_of(place), result, notices);
    if (!result && !TERRACE_MUTANT("disk.leak_slot")) table_->free(place);
    sync_now = unsynced_bytes_ >= options_.sync_bytes && sync_run_ == nullptr;
    arm_sync();
  }
  deliver(std::move(notices));
  TERRACE_CRASH_POINT("disk.write_told");
  write->op.done(result);
  finish_slot(place);
  if (sync_now) {
    TERRACE_PROBE("disk.sync_by_bytes");
    post([this] { begin_sync(); });
  }
}

}  // namespace terrace::tier::disk
