// A slot table, NNNNNN.slots: header, entries, rank pages. Also the names of such files.
#include <algorithm>
#include <cstddef>
#include <cstring>

#include "base/assert.h"
#include "base/checksum.h"
#include "fuzz/kit/fields.h"
#include "fuzz/kit/input.h"
#include "fuzz/kit/target.h"
#include "tier/disk/layout.h"

namespace terrace::fuzz {
namespace {

namespace disk = tier::disk;
using disk::kPage, disk::SegmentHeader, disk::SlotEntry;

constexpr uint64_t kSlotsPerRankPage = 511;

constexpr Field kHeaderFields[] = {
    {offsetof(SegmentHeader, magic), 8},         {offsetof(SegmentHeader, version), 4},
    {offsetof(SegmentHeader, flags), 4},         {offsetof(SegmentHeader, segment), 4},
    {offsetof(SegmentHeader, slot_count), 4},    {offsetof(SegmentHeader, slot_bytes), 8},
    {offsetof(SegmentHeader, segment_bytes), 8}, {offsetof(SegmentHeader, generation), 8},
};
constexpr Field kEntryFields[] = {
    {offsetof(SlotEntry, key), 32},       {offsetof(SlotEntry, payload_bytes), 8},
    {offsetof(SlotEntry, generation), 8}, {offsetof(SlotEntry, seq), 8},
    {offsetof(SlotEntry, rank), 8},       {offsetof(SlotEntry, group), 4},
    {offsetof(SlotEntry, shard), 4},      {offsetof(SlotEntry, shards), 4},
    {offsetof(SlotEntry, state), 4},      {offsetof(SlotEntry, zeros), 8},
};

void check_name(std::string_view name) {
  const auto parsed = disk::parse_segment_name(name);
  if (!parsed) return;
  TERRACE_ASSERT(name ==
                 (parsed->is_table ? disk::table_name(parsed->segment) : disk::data_name(parsed->segment)));
}

// Slots of which the bytes have an entry.
uint32_t entries_there(const SegmentHeader& header, uint64_t bytes) {
  const uint64_t there = bytes < kPage ? 0 : (bytes - kPage) / sizeof(SlotEntry);
  return static_cast<uint32_t>(std::min<uint64_t>(there, header.slot_count));
}

uint64_t seed_of_slot(const SegmentHeader& header, uint32_t index) {
  return disk::entry_seed(header.secret, header.generation, header.segment, index);
}

void check_entry(const SegmentHeader& header, uint32_t index, std::span<const std::byte> bytes) {
  const uint64_t seed = seed_of_slot(header, index);
  const auto entry = disk::open_entry(bytes, seed, header.slot_bytes);
  if (!entry) return;
  TERRACE_ASSERT(record::record_bytes(entry->payload_bytes) <= header.slot_bytes);
  TERRACE_ASSERT(entry->shard < entry->shards && entry->generation != 0);
  TERRACE_ASSERT(std::ranges::equal(disk::seal(*entry, seed), bytes));
  // Of another slot, or of another life of the segment, it would not be one.
  TERRACE_ASSERT(!disk::open_entry(bytes, seed_of_slot(header, index + 1), header.slot_bytes));
  SegmentHeader later = header;
  ++later.generation;
  TERRACE_ASSERT(!disk::open_entry(bytes, seed_of_slot(later, index), header.slot_bytes));
}

void check_ranks(const SegmentHeader& header, std::span<const std::byte> input) {
  for (uint64_t page = 0; page < disk::rank_pages(header.slot_count); ++page) {
    const uint64_t at = disk::ranks_offset(header.slot_count) + page * kPage;
    if (at + kPage > input.size()) return;
    disk::RankPage ranks;
    std::memcpy(&ranks, input.data() + at, kPage);
    const uint64_t seed = seed_of_slot(header, static_cast<uint32_t>(page * kSlotsPerRankPage));
    if (!disk::rank_page_whole(ranks, seed)) continue;
    const uint64_t sum = ranks.sum;
    disk::seal(ranks, seed);
    TERRACE_ASSERT(sum == ranks.sum);
  }
}

void run(std::span<const std::byte> input) {
  check_name(text_of(input.first(std::min<size_t>(input.size(), 16))));
  uint32_t version = 0;
  const auto page = input.first(std::min<size_t>(input.size(), kPage));
  auto header = disk::open_segment_header(page, version);
  if (!header) return;
  Bytes again(kPage);
  disk::seal(*header, again);
  TERRACE_ASSERT(std::ranges::equal(again, page));
  for (uint32_t index = 0; index < entries_there(*header, input.size()); ++index) {
    check_entry(*header, index, input.subspan(disk::entry_offset(index), sizeof(SlotEntry)));
  }
  TERRACE_ASSERT(!disk::open_entry(input.first(1), 0, header->slot_bytes));
  check_ranks(*header, input);
  (void)disk::make_binding(header->store_id, header->segment, header->generation, header->slot_bytes);
}

void put_sum(std::span<std::byte> bytes, size_t offset, uint64_t seed) {
  const uint64_t sum = base::xxh3_64(bytes.first(offset), seed);
  std::memcpy(bytes.data() + offset, &sum, sizeof sum);
}

void mend(std::span<std::byte> input, base::Random& random) {
  if (input.size() < kPage) return;
  if (random.one_in(4)) change_a_field(input.first(kPage), kHeaderFields, random);
  put_sum(input.first(kPage), offsetof(SegmentHeader, sum), 0);
  SegmentHeader header;
  std::memcpy(&header, input.data(), kPage);
  for (uint32_t index = 0; index < entries_there(header, input.size()); ++index) {
    const auto entry = input.subspan(disk::entry_offset(index), sizeof(SlotEntry));
    if (random.one_in(4)) change_a_field(entry, kEntryFields, random);
    if (!random.one_in(8)) put_sum(entry, offsetof(SlotEntry, sum), seed_of_slot(header, index));
  }
  const uint64_t ranks = disk::ranks_offset(header.slot_count);
  if (ranks + kPage <= input.size()) {
    put_sum(input.subspan(ranks, kPage), offsetof(disk::RankPage, sum), seed_of_slot(header, 0));
  }
}

Seed table_of(std::string name, uint32_t slots, uint32_t entries, SegmentHeader header, size_t cut = 0) {
  header.slot_count = slots;
  Bytes bytes(disk::table_bytes(slots));
  disk::seal(header, std::span(bytes).first(kPage));
  for (uint32_t index = 0; index < entries; ++index) {
    SlotEntry entry{.key = {{1, static_cast<uint8_t>(index)}},
                    .family = {{2}},
                    .parent = {},
                    .root = {{3}},
                    .payload_bytes = 100 + index,
                    .generation = header.generation + index + 1,
                    .seq = index + 1,
                    .rank = index};
    const auto sealed = disk::seal(entry, seed_of_slot(header, index));
    std::ranges::copy(sealed, bytes.begin() + static_cast<ptrdiff_t>(disk::entry_offset(index)));
  }
  disk::RankPage ranks;
  ranks.ranks.fill(5);
  disk::seal(ranks, seed_of_slot(header, 0));
  std::memcpy(bytes.data() + disk::ranks_offset(slots), &ranks, kPage);
  bytes.resize(bytes.size() - cut);
  return {std::move(name), std::move(bytes)};
}

Seed name_seed(std::string name, std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {std::move(name), {bytes.begin(), bytes.end()}};
}

std::vector<Seed> seeds() {
  const SegmentHeader header{.store_id = {1},
                             .secret = {2},
                             .segment = 3,
                             .slot_bytes = 2 * kPage,
                             .segment_bytes = base::kMiB,
                             .generation = uint64_t{5} << disk::kEpochShift};
  SegmentHeader retired = header, other_version = header, small = header;
  retired.flags = disk::kRetiredFlag;
  other_version.version = 2;
  small.slot_bytes = kPage;
  return {table_of("three_entries", 3, 3, header),
          table_of("half_full", 8, 4, header),
          table_of("cut_in_an_entry", 8, 8, header, 2 * kPage + 1100),
          table_of("retired", 1, 1, retired),
          table_of("other_version", 1, 1, other_version),
          table_of("slots_too_small", 2, 2, small),
          name_seed("name_of_a_table", "000042.slots"),
          name_seed("name_of_data", "4294967.data"),
          name_seed("name_of_neither", "000042.other"),
          name_seed("name_without_number", "00004x.data"),
          name_seed("name_without_dot", "superblock")};
}

const Registered kRegistered({.name = "segment", .run = run, .mend = mend, .seeds = seeds});

}  // namespace
}  // namespace terrace::fuzz
