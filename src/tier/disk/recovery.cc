// Recovery: reads the slot tables in the background, several at a time, and announces what it finds while the
// tier already serves (P5). Damage never stops it: what cannot be read is left alone and counted. Nor does a
// want of memory (P7): a step that finds none lets go of what it holds, and with it of its segment's turn.
#include <algorithm>
#include <new>

#include "base/hooks.h"
#include "tier/disk/scan.h"
#include "tier/disk/volume.h"

namespace terrace::tier::disk {
namespace {

constexpr uint32_t kScansMax = 4;
constexpr uint64_t kReadBytes = 4 * base::kMiB;
constexpr size_t kFoundBatch = 512;

// Runs a step that has nobody to tell of a want of memory.
template <typename Step>
void run_step(Step&& step) noexcept {
  try {
    std::forward<Step>(step)();
  } catch (const std::bad_alloc&) {  // what it held is gone, and its segment's turn with it
  }
}

bool all_zero(std::span<const std::byte> bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

void DiskVolume::start(TierListener& listener) {
  listener_ = &listener;
  {
    const base::Lock lock(mutex_);
    if (!opened_) {
      while (!breaker_.open()) breaker_.record(false, parts_.clock.now());
      arm(kProbeTimer, breaker_.probe_at(), &DiskVolume::probe);
      return;
    }
  }
  begin_recovery();
}

void DiskVolume::begin_recovery() {
  for (uint32_t i = 0; i < kScansMax; ++i) next_turn();
}

bool DiskVolume::post_step(base::Task step) noexcept {
  try {
    post([step = std::move(step)]() mutable { run_step(step); });
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

// Without memory to post it, the turn is taken on the spot.
void DiskVolume::next_turn() noexcept {
  if (!post_step([this] { recover_next(); })) run_step([this] { recover_next(); });
}

void DiskVolume::recover_next() {
  std::optional<uint32_t> next;
  bool ended = false;
  {
    const base::Lock lock(mutex_);
    if (recovery_over_) return;
    if (!to_recover_.empty() && !closing_) {
      next = to_recover_.back();
      to_recover_.pop_back();
      ++recovering_;
    } else if (recovering_ == 0) {
      ended = recovery_over_ = true;
      recovered_ = !closing_;
      // What an earlier life left unsynced is synced now, and only then vouched for.
      synced_seq_due_ = synced_seq_due_ || other_boot_;
      try_arm_sync();
    }
  }
  if (ended) end_recovery();
  if (next) scan_segment(*next);
}

void DiskVolume::end_recovery() {
  TERRACE_CRASH_POINT("disk.recovery_ended");
  bool whole = false;
  {
    const base::Lock lock(mutex_);
    whole = recovered_;
  }
  listener_->recovered(whole ? Result<void>() : fail(Code::kClosed, "closed while it recovered"));
}

Turn::~Turn() {
  if (volume_ != nullptr) volume_->end_turn(segment_, settled_);
}

void DiskVolume::end_turn(uint32_t number, bool settled) noexcept {
  {
    const base::Lock lock(mutex_);
    --recovering_;
    if (!settled && !closing_) {
      ++segments_out_of_reach_;
      SegmentRecord& segment = table_->segment(number);
      // Its table was read: some of its records are announced, others not verified.
      if (!std::exchange(segment.found, false))
        unverified_ = true;
      else
        segment.unusable = true;
      try {
        last_error_ = "no memory to recover segment " + std::to_string(number);
      } catch (const std::bad_alloc&) {  // the count says it
      }
    }
  }
  next_turn();
}

// --- one segment ---

void DiskVolume::scan_segment(uint32_t number) {
  Turn turn(*this, number);
  auto scan = std::make_unique<Scan>();
  scan->turn = std::move(turn);
  scan->number = number;
  TERRACE_CRASH_POINT("disk.recovery_scan_begun");
  scan->hold = hold();
  io::FileSystem& files = parts_.files;
  const std::string table_path = path_of(table_name(number)), data_path = path_of(data_name(number));
  const auto table_stat = files.stat(table_path), data_stat = files.stat(data_path);
  const auto missing = [](const auto& stat) { return !stat && stat.error().code == Code::kNotFound; };
  const auto readable = [](const auto& stat) { return stat && !stat->is_directory; };
  if ((!missing(table_stat) && !readable(table_stat)) || (!missing(data_stat) && !readable(data_stat))) {
    return segment_unread(*scan, "a segment's files cannot be examined");
  }
  if (data_stat) {
    scan->data_bytes = data_stat->bytes;
    auto file = files.open(data_path, {.direct = true});
    if (!file) return segment_unread(*scan, "a segment's data file cannot be opened");
    scan->data = std::move(*file);
  }
  if (table_stat) {
    scan->table_bytes = table_stat->bytes;
    auto file = files.open(table_path, {});
    if (!file) return segment_unread(*scan, "a segment's slot table cannot be opened");
    scan->table = std::move(*file);
  }
  // A start that was killed while it made the files leaves them empty.
  if (scan->table_bytes == 0) {
    return scan->data_bytes == 0 ? segment_empty(*scan)
                                 : segment_unusable(*scan, "a segment lost its slot table");
  }
  uint64_t bytes_max = 0;
  {
    const base::Lock lock(mutex_);
    bytes_max = superblock_.segment_bytes;
  }
  if (scan->table_bytes < kPage || scan->table_bytes > bytes_max) {
    TERRACE_PROBE("disk.table_of_impossible_length");
    return segment_unusable(*scan, "a segment's slot table has an impossible length");
  }
  scan_read(std::move(scan));
}

void DiskVolume::scan_read(std::unique_ptr<Scan> scan) {
  auto buffer = memory::PageBuffer::make(scan->table_bytes);
  if (!buffer) return segment_unread(*scan, "no memory for a slot table");
  scan->bytes = std::move(*buffer);
  std::vector<io::IoRequest> requests;
  for (uint64_t at = 0; at < scan->table_bytes; at += kReadBytes) {
    io::IoRequest request{.op = io::IoOp::kRead,
                          .io_class = io::IoClass::kBackground,
                          .file = scan->table.get(),
                          .offset = at,
                          .vec = {},
                          .done = nullptr};
    request.vec[0] = {scan->bytes.data() + at, std::min(kReadBytes, scan->table_bytes - at)};
    requests.push_back(std::move(request));
  }
  gather(parts_.scheduler, std::move(requests),
         [this, scan = std::move(scan)](std::vector<Result<void>> results) mutable {
           for (const auto& one : results) {
             if (!one) scan->read = one;
           }
           post_step([this, scan = std::move(scan)]() mutable { scan_decoded(std::move(scan)); });
         });
}

void DiskVolume::scan_decoded(std::unique_ptr<Scan> scan) {
  TERRACE_CRASH_POINT("disk.recovery_table_read");
  if (!scan->read) {
    TERRACE_PROBE("disk.table_unreadable");
    return segment_unread(*scan, "a segment's slot table cannot be read");
  }
  if (all_zero(scan->bytes.bytes())) {  // a power cut while it was made
    TERRACE_PROBE("disk.table_of_zeros");
    return segment_empty(*scan);
  }
  uint32_t version = 0;
  const auto header = open_segment_header(scan->bytes.bytes().first(kPage), version);
  if (!header) {
    TERRACE_PROBE("disk.segment_header_damaged");
    return segment_unusable(*scan, "a segment header is damaged or of another version");
  }
  bool ours = false;
  {
    const base::Lock lock(mutex_);
    ours = header->store_id == superblock_.store_id && header->secret == superblock_.secret &&
           header->segment == scan->number && header->segment_bytes == superblock_.segment_bytes &&
           header->slot_bytes % kPage == 0 && header->slot_count > 0 &&
           header->slot_count ==
               memory::SlotAllocator::slots_per_segment(table_->slots().options(), header->slot_bytes);
  }
  if (!ours) {
    TERRACE_PROBE("disk.segment_of_another_store");
    return segment_unusable(*scan, "a segment file is of another store or place");
  }
  if ((header->flags & kRetiredFlag) != 0 || scan->data == nullptr) {
    TERRACE_PROBE("disk.segment_retired_before");
    return segment_empty(*scan);
  }
  if (TERRACE_MUTANT("disk.lose_a_segment") && scan->number % 4 == 1) return segment_empty(*scan);
  scan->header = *header;
  adopt(std::move(scan));
}

namespace {

// The blocks a slot table names, as far as the table and the data file reach.
std::vector<FoundEntry> entries_in(const Scan& scan) {
  const SegmentHeader& header = scan.header;
  const auto bytes = scan.bytes.bytes();
  const uint64_t slot_bytes = header.slot_bytes;
  std::vector<FoundEntry> entries;
  RankPage ranks;
  bool ranks_whole = false;
  for (uint32_t index = 0; index < header.slot_count; ++index) {
    const uint64_t seed = entry_seed(header.secret, header.generation, scan.number, index);
    if (index % 511 == 0) {
      const uint64_t at = ranks_offset(header.slot_count) + index / 511 * kPage;
      ranks_whole = at + kPage <= bytes.size();
      if (ranks_whole) std::memcpy(&ranks, bytes.data() + at, kPage);
      ranks_whole = ranks_whole && rank_page_whole(ranks, seed);
    }
    if (entry_offset(index + 1) > bytes.size()) {  // the table was cut off
      TERRACE_PROBE("disk.table_cut_off");
      break;
    }
    auto entry = open_entry(bytes.subspan(entry_offset(index), sizeof(SlotEntry)), seed, slot_bytes);
    if (TERRACE_MUTANT("disk.lose_last_slot") && index + 1 == header.slot_count) continue;
    if (!entry || index * slot_bytes + record::record_bytes(entry->payload_bytes) > scan.data_bytes) continue;
    // Ranks grow with time; the page may still hold that of the slot's block before.
    if (ranks_whole) entry->rank = std::max(entry->rank, ranks.ranks[index % 511]);
    entries.emplace_back(index, *entry);
  }
  return entries;
}

}  // namespace

void DiskVolume::adopt(std::unique_ptr<Scan> scan) {
  const SegmentHeader& header = scan->header;
  const uint64_t slot_bytes = header.slot_bytes;
  scan->entries = entries_in(*scan);
  // Files that were cut off get their length back; what is missing is not announced.
  if (scan->table_bytes < table_bytes(header.slot_count)) {
    (void)parts_.files.allocate(*scan->table, table_bytes(header.slot_count));
  }
  if (scan->data_bytes < header.slot_count * slot_bytes) {
    const auto grown = parts_.files.allocate(*scan->data, header.slot_count * slot_bytes);
    // There was no room for its data, and there is none now. Nothing is in it: it is laid out when it is
    // needed.
    if (!grown && scan->entries.empty()) {
      TERRACE_PROBE("disk.data_file_too_short_for_good");
      return segment_empty(*scan);
    }
  }

  auto check = std::make_unique<RecordCheck>();
  const std::vector<FoundBlock> found = take_over(*scan, *check);
  TERRACE_CRASH_POINT("disk.recovery_adopted");
  scan.reset();
  for (size_t first = 0; first < found.size(); first += kFoundBatch) {
    tell_found(std::span(found).subspan(first, std::min(kFoundBatch, found.size() - first)));
  }
  std::ranges::reverse(check->entries);
  check_next(std::move(check));
}

// Makes the segment this life's: its slots are taken from now on. Returns the blocks to announce; those to be
// verified first are the check's, and with them the turn.
std::vector<FoundBlock> DiskVolume::take_over(Scan& scan, RecordCheck& check) {
  const SegmentHeader& header = scan.header;
  const auto& entries = scan.entries;
  const uint32_t number = scan.number;
  const uint64_t slot_bytes = header.slot_bytes;
  // All the memory that adopting takes is had before anything is changed.
  check.number = number;
  check.hold = hold();
  std::vector<FoundBlock> found;
  found.reserve(entries.size());
  std::vector<SlotRecord> slots(header.slot_count);
  {
    const base::Lock lock(mutex_);
    SegmentRecord& segment = table_->segment(number);
    if (other_boot_) check.entries.reserve(entries.size());
    stale_.reserve(stale_.size() + entries.size());  // for those that nobody wants
    table_->slots().reset_segment(number);
    if (!entries.empty()) (void)table_->slots().adopt_segment(number, slot_bytes);
    check.turn = std::move(scan.turn);
    segment.layout = LayoutState::kReady;
    segment.slot_bytes = slot_bytes;
    segment.generation = header.generation;
    segment.disk_bytes = header.slot_count * slot_bytes + table_bytes(header.slot_count);
    segment.slots = std::move(slots);
    segment.found = false;
    segment.data = std::move(scan.data);
    segment.table = std::move(scan.table);
    // What a killed life wrote, removals among it, may be in the page cache only: the next sync takes it
    // along.
    if (was_killed_) segment.data_dirty = segment.table_dirty = segments_dirty_ = true;
    for (const auto& [index, entry] : entries) {
      (void)table_->slots().adopt_slot(number, index, record::record_bytes(entry.payload_bytes));
      segment.slots[index] = {.key = entry.key,
                              .generation = entry.generation,
                              .rank = entry.rank,
                              .seq = 0,
                              .payload_bytes = static_cast<uint32_t>(entry.payload_bytes),
                              .state = SlotState::kLive,
                              .entry = EntryState::kLive};
      ++table_->live_blocks;
      const bool unsynced = entry.seq > superblock_.synced_seq;
      if (unsynced) segment.data_dirty = segment.table_dirty = segments_dirty_ = true;
      if (unsynced && other_boot_) {
        TERRACE_PROBE("disk.unsynced_record_is_checked");
        check.entries.emplace_back(index, entry);
      } else {
        found.push_back(found_block(number, index, entry));
      }
    }
  }
  return found;
}

FoundBlock DiskVolume::found_block(uint32_t number, uint32_t index, const SlotEntry& entry) const {
  const uint64_t slot_bytes = table_->segment(number).slot_bytes;
  FoundBlock block;
  block.meta = {.key = entry.key,
                .family = entry.family,
                .parent = entry.parent,
                .root = entry.root,
                .member = {entry.group, entry.shard, entry.shards},
                .payload_bytes = entry.payload_bytes};
  block.where.place = make_place(number_, number, index);
  block.where.binding = make_binding(superblock_.store_id, number, entry.generation, index * slot_bytes);
  block.where.bucket = make_bucket(number_, slot_bytes);
  block.where.segment = make_segment(number_, number);
  block.rank = entry.rank;
  return block;
}

void DiskVolume::tell_found(std::span<const FoundBlock> found) {
  {
    const base::Lock lock(mutex_);
    if (closing_) return;
  }
  std::vector<uint32_t> unwanted;
  try {
    note_namespaces(found);
    unwanted = listener_->found(found);
  } catch (const std::bad_alloc&) {  // the listener took none of them
    for (const FoundBlock& block : found) forget_found(block.where.place);
    return;
  }
  TERRACE_CRASH_POINT("disk.recovery_told");
  for (const uint32_t index : unwanted) {
    TERRACE_PROBE("disk.found_and_unwanted");
    forget_found(found[index].where.place);
  }
  const base::Lock lock(mutex_);
  recovered_blocks_ += found.size() - unwanted.size();
}

void DiskVolume::note_namespaces(std::span<const FoundBlock> found) {
  const base::Lock lock(mutex_);
  for (const FoundBlock& block : found) {
    KnownNamespace& known = namespaces_[block.meta.root];
    if (known.root != block.meta.root) known = {.root = block.meta.root, .fields = {}, .known = false};
  }
}

// Without memory for a timer, the next write arms it.
void DiskVolume::try_arm_sync() noexcept {
  try {
    arm_sync();
  } catch (const std::bad_alloc&) {
  }
}

void DiskVolume::forget_found(Place place) {
  const base::Lock lock(mutex_);
  SlotRecord& slot = *table_->find(place);
  if (slot.state != SlotState::kLive) return;
  stale_.push_back(place);
  table_->free(place);
  slot.entry = EntryState::kStale;
  try_arm_sync();
}

// Nothing in it: any class may have it. Its files are kept and used again.
void DiskVolume::segment_empty(Scan& scan) {
  {
    const base::Lock lock(mutex_);
    SegmentRecord& segment = table_->segment(scan.number);
    TERRACE_CRASH_POINT("disk.recovery_empty_kept");
    segment.data = std::move(scan.data);
    segment.table = std::move(scan.table);
    segment.found = false;
    table_->slots().reset_segment(scan.number);
  }
  scan.turn.settle();
}

// Nobody knows what is in it, and a later start may be able to read it.
void DiskVolume::segment_unread(Scan& scan, const char* why) {
  {
    const base::Lock lock(mutex_);
    ++segments_out_of_reach_;
  }
  segment_unusable(scan, why);
}

// Left as it is: it may be of use to someone, and its bytes count against the capacity.
void DiskVolume::segment_unusable(Scan& scan, const char* why) {
  Notices notices;
  {
    const base::Lock lock(mutex_);
    SegmentRecord& segment = table_->segment(scan.number);
    segment.found = false;
    segment.unusable = true;
    last_error_ = std::string(why) + " (segment " + std::to_string(scan.number) + ")";
    if (!scan.read && scan.read.error().code == Code::kIo) count_outcome(false, notices);
  }
  scan.turn.settle();
  deliver(std::move(notices));
}

}  // namespace terrace::tier::disk
