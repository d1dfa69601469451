// The bytes of a disk store outside its records: superblock, segment header, slot entry, rank page, binding.
// docs/format.md has the tables; the asserts below tie the structs to them. Decoders are total: any bytes are
// fine.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <terrace/error.h>

#include "record/record.h"

namespace terrace::tier::disk {

using Id = std::array<uint8_t, 16>;

inline constexpr uint32_t kFormatVersion = 1;
inline constexpr uint64_t kPage = base::kPage;
inline constexpr std::array<char, 8> kSuperblockMagic{'T', 'E', 'R', 'R', 'S', 'U', 'P', 'R'};
inline constexpr std::array<char, 8> kSegmentMagic{'T', 'E', 'R', 'R', 'S', 'E', 'G', 'M'};

// generation = epoch << 40 | counter, and so is seq: unique over all lives of a store. 16 M opens, 2^40
// writes each.
inline constexpr int kEpochShift = 40;
inline constexpr uint32_t kEpochMax = (1u << 24) - 1;

// Two copies, at offsets 0 and 4096 of the file `superblock`; the page behind them is the breaker's probe.
struct Superblock {
  std::array<char, 8> magic = kSuperblockMagic;
  uint32_t version = kFormatVersion;
  uint32_t flags = 0;     // kCleanFlag
  uint64_t sequence = 0;  // of the copy; the larger one counts
  Id store_id{};
  record::Secret secret{};
  uint32_t epoch = 0;  // of the last open
  uint32_t reserved = 0;
  uint64_t capacity_bytes = 0;  // of this directory, as last opened
  uint64_t segment_bytes = 0;   // fixed when the store is made
  uint64_t synced_seq = 0;      // records of entries with a seq up to it are durable
  Id boot_id{};                 // machine boot in which everything later was written
  std::array<uint8_t, 3968> zeros{};
  uint64_t sum = 0;  // XXH3-64 of the bytes before it, unseeded, in every version
};
inline constexpr uint32_t kCleanFlag = 1;
inline constexpr uint64_t kSuperblockFileBytes = 3 * kPage;
inline constexpr uint64_t kProbeOffset = 2 * kPage;
static_assert(sizeof(Superblock) == kPage);
static_assert(offsetof(Superblock, version) == 8 && offsetof(Superblock, flags) == 12);
static_assert(offsetof(Superblock, sequence) == 16 && offsetof(Superblock, store_id) == 24);
static_assert(offsetof(Superblock, secret) == 40 && offsetof(Superblock, epoch) == 72);
static_assert(offsetof(Superblock, capacity_bytes) == 80 && offsetof(Superblock, segment_bytes) == 88);
static_assert(offsetof(Superblock, synced_seq) == 96 && offsetof(Superblock, boot_id) == 104);
static_assert(offsetof(Superblock, zeros) == 120 && offsetof(Superblock, sum) == 4088);

// First page of NNNNNN.slots.
struct SegmentHeader {
  std::array<char, 8> magic = kSegmentMagic;
  uint32_t version = kFormatVersion;
  uint32_t flags = 0;  // kRetiredFlag
  Id store_id{};
  record::Secret secret{};
  uint32_t segment = 0;
  uint32_t slot_count = 0;
  uint64_t slot_bytes = 0;
  uint64_t segment_bytes = 0;
  uint64_t generation = 0;  // when the segment was given this slot size; seeds its entries' sums
  std::array<uint8_t, 3992> zeros{};
  uint64_t sum = 0;  // XXH3-64 of the bytes before it, unseeded
};
inline constexpr uint32_t kRetiredFlag = 1;  // quarantined after device errors: its entries do not count
static_assert(sizeof(SegmentHeader) == kPage);
static_assert(offsetof(SegmentHeader, store_id) == 16 && offsetof(SegmentHeader, secret) == 32);
static_assert(offsetof(SegmentHeader, segment) == 64 && offsetof(SegmentHeader, slot_count) == 68);
static_assert(offsetof(SegmentHeader, slot_bytes) == 72 && offsetof(SegmentHeader, segment_bytes) == 80);
static_assert(offsetof(SegmentHeader, generation) == 88 && offsetof(SegmentHeader, zeros) == 96);
static_assert(offsetof(SegmentHeader, sum) == 4088);

// One slot of a segment; all zeros: free.
struct SlotEntry {
  Key key;
  Key family;
  Key parent;
  Key root;
  uint64_t payload_bytes = 0;
  uint64_t generation = 0;
  uint64_t seq = 0;   // order of writes, for synced_seq
  uint64_t rank = 0;  // order of use when written; the rank page may know a later one
  uint32_t group = 0;
  uint32_t shard = 0;
  uint32_t shards = 1;
  uint32_t state = kLive;
  std::array<uint8_t, 72> zeros{};
  uint64_t sum = 0;  // XXH3-64 of the bytes before it, seeded with entry_seed()

  static constexpr uint32_t kLive = 1;
};
static_assert(sizeof(SlotEntry) == 256);
static_assert(offsetof(SlotEntry, family) == 32 && offsetof(SlotEntry, parent) == 64);
static_assert(offsetof(SlotEntry, root) == 96 && offsetof(SlotEntry, payload_bytes) == 128);
static_assert(offsetof(SlotEntry, generation) == 136 && offsetof(SlotEntry, seq) == 144);
static_assert(offsetof(SlotEntry, rank) == 152 && offsetof(SlotEntry, group) == 160);
static_assert(offsetof(SlotEntry, shard) == 164 && offsetof(SlotEntry, shards) == 168);
static_assert(offsetof(SlotEntry, state) == 172 && offsetof(SlotEntry, zeros) == 176);
static_assert(offsetof(SlotEntry, sum) == 248);

// Order of use of 511 slots, written now and then; behind the entries, at a page boundary.
struct RankPage {
  std::array<uint64_t, 511> ranks{};
  uint64_t sum = 0;  // XXH3-64 of the bytes before it, seeded with entry_seed() of its first slot
};
static_assert(sizeof(RankPage) == kPage && offsetof(RankPage, sum) == 4088);

using Entry = std::array<std::byte, sizeof(SlotEntry)>;

// Geometry of NNNNNN.slots: header page, entries, padding, rank pages.
constexpr uint64_t entry_offset(uint32_t index) {
  return kPage + uint64_t{index} * sizeof(SlotEntry);
}
constexpr uint64_t ranks_offset(uint32_t slots) {
  return base::round_up(entry_offset(slots), kPage);
}
constexpr uint32_t rank_pages(uint32_t slots) {
  return (slots + 510) / 511;
}
constexpr uint64_t table_bytes(uint32_t slots) {
  return ranks_offset(slots) + rank_pages(slots) * kPage;
}
// What a slot costs beside its bytes, and a segment beside its slots: the two files never exceed
// segment_bytes.
inline constexpr uint64_t kSlotOverhead = sizeof(SlotEntry) + 9;  // a rank is 4096/511 bytes
inline constexpr uint64_t kSegmentOverhead = 3 * kPage;           // header, and two paddings
static_assert(table_bytes(1) <= kSlotOverhead + kSegmentOverhead);
static_assert(table_bytes(100'000) <= 100'000 * kSlotOverhead + kSegmentOverhead);

void seal(Superblock& superblock, std::span<std::byte> page);
void seal(SegmentHeader& header, std::span<std::byte> page);
// kCorrupt: damaged, not one, or a superblock whose segments have an impossible size. kIncompatible: whole,
// but of the version left in `version`.
Result<Superblock> open_superblock(std::span<const std::byte> page, uint32_t& version);
Result<SegmentHeader> open_segment_header(std::span<const std::byte> page, uint32_t& version);

uint64_t entry_seed(const record::Secret& secret, uint64_t segment_generation, uint32_t segment,
                    uint32_t index);
Entry seal(SlotEntry entry, uint64_t seed);
// Empty when free, damaged, of an earlier life of the segment, or out of range.
std::optional<SlotEntry> open_entry(std::span<const std::byte> bytes, uint64_t seed, uint64_t slot_bytes);
void seal(RankPage& page, uint64_t seed);
bool rank_page_whole(const RankPage& page, uint64_t seed);

// store id 16 | segment u32 | generation u64 | offset of the slot in units of 4 KiB, u32.
record::Binding make_binding(const Id& store_id, uint32_t segment, uint64_t generation, uint64_t slot_offset);

// Names in a volume's directory.
inline constexpr std::string_view kLockName = "LOCK";
inline constexpr std::string_view kSuperblockName = "superblock";
inline constexpr std::string_view kNamespacesName = "namespaces";
std::string data_name(uint32_t segment);   // 000042.data
std::string table_name(uint32_t segment);  // 000042.slots
struct SegmentName {
  uint32_t segment = 0;
  bool is_table = false;
};
std::optional<SegmentName> parse_segment_name(std::string_view name);

}  // namespace terrace::tier::disk
