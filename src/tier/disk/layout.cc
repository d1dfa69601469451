#include "tier/disk/layout.h"

#include <charconv>
#include <cstring>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/hooks.h"
#include "tier/disk/options.h"

namespace terrace::tier::disk {
namespace {

template <class T>
std::span<const std::byte> summed(const T& value) {
  static_assert(std::has_unique_object_representations_v<T>, "padding would reach the disk");
  return {reinterpret_cast<const std::byte*>(&value), offsetof(T, sum)};
}

bool is_right(uint64_t sum, std::span<const std::byte> bytes) {
  return sum == base::xxh3_64(bytes) || TERRACE_MUTANT("disk.skip_page_sum");
}

template <class T>
void seal_page(T& value, std::span<std::byte> page) {
  TERRACE_ASSERT(page.size() == sizeof(T));
  value.sum = base::xxh3_64(summed(value));
  std::memcpy(page.data(), &value, sizeof value);
}

template <class T>
Result<T> open_page(std::span<const std::byte> page, const std::array<char, 8>& magic, uint32_t& version) {
  if (page.size() != sizeof(T)) return fail(Code::kCorrupt, "not a whole page");
  T value;
  std::memcpy(&value, page.data(), sizeof value);
  if (value.magic != magic) return fail(Code::kCorrupt, "wrong magic");
  if (!is_right(value.sum, summed(value))) return fail(Code::kCorrupt, "wrong sum");
  version = value.version;
  if (version != kFormatVersion) return fail(Code::kIncompatible, "another format version");
  return value;
}

}  // namespace

void seal(Superblock& superblock, std::span<std::byte> page) {
  seal_page(superblock, page);
}
void seal(SegmentHeader& header, std::span<std::byte> page) {
  seal_page(header, page);
}

Result<Superblock> open_superblock(std::span<const std::byte> page, uint32_t& version) {
  auto superblock = open_page<Superblock>(page, kSuperblockMagic, version);
  if (!superblock) return superblock;
  // Anybody can make the sum right; the volume divides by this.
  const uint64_t segment = superblock->segment_bytes;
  if (segment < kSegmentBytesMin || segment > kSegmentBytesMax || segment % kPage != 0)
    return fail(Code::kCorrupt, "segments of a size that cannot be");
  return superblock;
}

Result<SegmentHeader> open_segment_header(std::span<const std::byte> page, uint32_t& version) {
  return open_page<SegmentHeader>(page, kSegmentMagic, version);
}

uint64_t entry_seed(const record::Secret& secret, uint64_t segment_generation, uint32_t segment,
                    uint32_t index) {
  std::array<std::byte, sizeof(record::Secret) + 16> seed;
  std::memcpy(seed.data(), secret.data(), secret.size());
  base::store_le(seed.data() + 32, segment_generation);
  base::store_le(seed.data() + 40, segment);
  base::store_le(seed.data() + 44, index);
  return TERRACE_MUTANT("disk.forget_entry_place") ? 0 : base::xxh3_64(seed);
}

Entry seal(SlotEntry entry, uint64_t seed) {
  entry.sum = base::xxh3_64(summed(entry), seed);
  Entry bytes;
  std::memcpy(bytes.data(), &entry, sizeof entry);
  return bytes;
}

std::optional<SlotEntry> open_entry(std::span<const std::byte> bytes, uint64_t seed, uint64_t slot_bytes) {
  if (bytes.size() != sizeof(SlotEntry)) return std::nullopt;
  SlotEntry entry;
  std::memcpy(&entry, bytes.data(), sizeof entry);
  // Most entries of a young segment are zeros: told apart before anything is summed.
  if (entry.state != SlotEntry::kLive) return std::nullopt;
  if (entry.sum != base::xxh3_64(summed(entry), seed) && !TERRACE_MUTANT("disk.skip_entry_sum"))
    return std::nullopt;
  const bool in_range = entry.payload_bytes >= 1 && entry.payload_bytes <= record::kPayloadBytesMax &&
                        record::record_bytes(entry.payload_bytes) <= slot_bytes && entry.generation != 0 &&
                        entry.shards >= 1 && entry.shard < entry.shards;
  return in_range ? std::optional(entry) : std::nullopt;
}

void seal(RankPage& page, uint64_t seed) {
  page.sum = base::xxh3_64(summed(page), seed);
}
bool rank_page_whole(const RankPage& page, uint64_t seed) {
  return page.sum == base::xxh3_64(summed(page), seed);
}

record::Binding make_binding(const Id& store_id, uint32_t segment, uint64_t generation,
                             uint64_t slot_offset) {
  record::Binding binding;
  static_assert(sizeof binding == 32);
  std::memcpy(binding.data(), store_id.data(), store_id.size());
  base::store_le(binding.data() + 16, segment);
  base::store_le(binding.data() + 20, generation);
  base::store_le(binding.data() + 28, static_cast<uint32_t>(slot_offset / kPage));
  return binding;
}

std::string data_name(uint32_t segment) {
  return fmt::format("{:06}.data", segment);
}
std::string table_name(uint32_t segment) {
  return fmt::format("{:06}.slots", segment);
}

std::optional<SegmentName> parse_segment_name(std::string_view name) {
  const size_t dot = name.find('.');
  if (dot == std::string_view::npos || dot < 6 || dot > 8) return std::nullopt;
  SegmentName parsed;
  const auto [end, error] = std::from_chars(name.data(), name.data() + dot, parsed.segment);
  if (error != std::errc() || end != name.data() + dot) return std::nullopt;
  parsed.is_table = name.ends_with(".slots");
  // One spelling for each number: what we would write ourselves.
  const std::string ours = parsed.is_table ? table_name(parsed.segment) : data_name(parsed.segment);
  return ours == name ? std::optional(parsed) : std::nullopt;
}

}  // namespace terrace::tier::disk
