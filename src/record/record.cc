#include "record/record.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/hooks.h"
#include "record/layout.h"

namespace terrace::record {
namespace {

uint64_t part_seed(const Key& key) {
  return key.word(0);
}

bool forgets_place() {
  return TERRACE_MUTANT("record.forget_place");
}

uint64_t header_seed(const Secret& secret, const Binding& binding) {
  std::array<std::byte, sizeof(Secret) + sizeof(Binding)> message;
  std::memcpy(message.data(), secret.data(), secret.size());
  std::memcpy(message.data() + secret.size(), binding.data(), binding.size());
  return forgets_place() ? 0 : base::xxh3_64(message);
}

uint64_t header_sum(std::span<const std::byte> header, const Secret& secret, const Binding& binding) {
  return base::xxh3_64(header.first(kSummedBytes), header_seed(secret, binding));
}

uint64_t bytes_of_part(uint64_t payload_bytes, uint32_t index) {
  const uint64_t part = part_bytes(payload_bytes);
  return std::min(part, payload_bytes - index * part);
}

// memcmp, because a loop over bytes took most of the time of opening a header. `bytes` is at most a header.
bool all_zero(std::span<const std::byte> bytes) {
  static constexpr std::array<std::byte, kHeaderBytes> kZeros{};
  return std::memcmp(bytes.data(), kZeros.data(), bytes.size()) == 0;
}

// The sum was right, so what fails here was sealed by a defect or on purpose; it is refused all the same.
Result<void> check_fields(const HeaderLayout& layout, const Binding& binding) {
  if (layout.header_bytes != kHeaderBytes) return fail(Code::kCorrupt, "record header has another size");
  if (layout.payload_bytes < 1 || layout.payload_bytes > kPayloadBytesMax)
    return fail(Code::kCorrupt, "record payload length is out of range");
  if (layout.part_bytes != part_bytes(layout.payload_bytes) ||
      layout.part_count != part_count(layout.payload_bytes))
    return fail(Code::kCorrupt, "record parts do not fit its payload length");
  if (layout.shards < 1 || layout.shard >= layout.shards)
    return fail(Code::kCorrupt, "record shard is out of range");
  if (layout.binding != binding && !forgets_place())
    return fail(Code::kCorrupt, "record is bound to another place");
  const auto unused = std::as_bytes(std::span(layout.part_sums).subspan(layout.part_count));
  if (!all_zero(unused)) return fail(Code::kCorrupt, "record has sums of parts it does not have");
  if (!all_zero(std::as_bytes(std::span(layout.zeros))))
    return fail(Code::kCorrupt, "record header has bytes where zeros belong");
  return {};
}

}  // namespace

void sum_parts(const Key& key, std::span<const std::byte> payload, PartSums& sums) {
  TERRACE_ASSERT(payload.size() >= 1 && payload.size() <= kPayloadBytesMax);
  sums.count = part_count(payload.size());
  for (uint32_t index = 0; index < sums.count; ++index) {
    const auto part =
        payload.subspan(index * part_bytes(payload.size()), bytes_of_part(payload.size(), index));
    sums.sums[index] = base::xxh3_128(part, part_seed(key));
  }
}

void seal(const BlockMeta& meta, const PartSums& sums, const Secret& secret, const Binding& binding,
          std::span<std::byte> header) {
  TERRACE_ASSERT(header.size() == kHeaderBytes);
  TERRACE_ASSERT(meta.payload_bytes >= 1 && meta.payload_bytes <= kPayloadBytesMax);
  TERRACE_ASSERT(sums.count == part_count(meta.payload_bytes));
  TERRACE_ASSERT(meta.member.shard < meta.member.shards);
  HeaderLayout layout{};
  layout.magic = kMagic;
  layout.version = kFormatVersion;
  layout.header_bytes = kHeaderBytes;
  layout.key = meta.key.bytes;
  layout.family = meta.family.bytes;
  layout.parent = meta.parent.bytes;
  layout.root = meta.root.bytes;
  layout.group = meta.member.group;
  layout.shard = meta.member.shard;
  layout.shards = meta.member.shards;
  layout.part_count = sums.count;
  layout.payload_bytes = meta.payload_bytes;
  layout.part_bytes = part_bytes(meta.payload_bytes);
  layout.binding = binding;
  std::copy_n(sums.sums.begin(), sums.count, layout.part_sums.begin());
  layout.header_sum = header_sum(std::as_bytes(std::span(&layout, 1)), secret, binding);
  std::memcpy(header.data(), &layout, sizeof layout);
}

Result<OpenedHeader> open_header(std::span<const std::byte> header, const Secret& secret,
                                 const Binding& binding) {
  if (header.size() != kHeaderBytes) return fail(Code::kCorrupt, "record header is not 4096 bytes");
  HeaderLayout layout;
  std::memcpy(&layout, header.data(), sizeof layout);
  if (layout.magic != kMagic) return fail(Code::kCorrupt, "record magic is missing");
  if (layout.header_sum != header_sum(header, secret, binding) && !TERRACE_MUTANT("record.skip_header_sum")) {
    TERRACE_PROBE("record.header_sum_differs");
    return fail(Code::kCorrupt, "record header sum differs");
  }
  // Only now: a damaged version field is damage, not another version.
  if (layout.version != kFormatVersion)
    return fail(Code::kIncompatible, "record is of another format version");
  if (const auto checked = check_fields(layout, binding); !checked) return std::unexpected(checked.error());
  OpenedHeader opened{.meta = {.key = {layout.key},
                               .family = {layout.family},
                               .parent = {layout.parent},
                               .root = {layout.root},
                               .member = {layout.group, layout.shard, layout.shards},
                               .payload_bytes = layout.payload_bytes},
                      .sums = {}};
  opened.sums.count = layout.part_count;
  opened.sums.sums = layout.part_sums;
  return opened;
}

Result<void> Verifier::header(std::span<const std::byte> header) {
  header_seen_ = false;
  parts_seen_ = 0;
  const auto opened = open_header(header, secret_, binding_);
  if (!opened) return std::unexpected(opened.error());
  if (opened->meta.key != key_ && !TERRACE_MUTANT("record.skip_key_compare"))
    return fail(Code::kCorrupt, "record is of another key");
  if (opened->meta.payload_bytes != payload_bytes_)
    return fail(Code::kCorrupt, "record is of another length");
  meta_ = opened->meta;
  sums_ = opened->sums;
  header_seen_ = true;
  return {};
}

Result<void> Verifier::part(uint32_t index, std::span<const std::byte> bytes) {
  if (!header_seen_) return fail(Code::kInvalidArgument, "part before a verified header");
  if (index >= sums_.count) return fail(Code::kInvalidArgument, "no such part");
  if (bytes.size() != bytes_of_part(payload_bytes_, index))
    return fail(Code::kInvalidArgument, "part is not whole");
  parts_seen_ &= ~(uint64_t{1} << index);
  if (base::xxh3_128(bytes, part_seed(key_)) != sums_.sums[index] && !TERRACE_MUTANT("record.skip_part_sum"))
    return fail(Code::kCorrupt, "part sum differs");
  parts_seen_ |= uint64_t{1} << index;
  return {};
}

Result<BlockMeta> verify_record(std::span<const std::byte> record, const Secret& secret,
                                const Binding& binding) {
  if (record.size() < kHeaderBytes) return fail(Code::kCorrupt, "record is shorter than its header");
  const auto opened = open_header(record.first(kHeaderBytes), secret, binding);
  if (!opened) return std::unexpected(opened.error());
  const BlockMeta& meta = opened->meta;
  if (record.size() - kHeaderBytes < meta.payload_bytes)
    return fail(Code::kCorrupt, "record is shorter than its payload");
  const auto payload = record.subspan(kHeaderBytes, meta.payload_bytes);
  for (uint32_t index = 0; index < opened->sums.count; ++index) {
    const auto part =
        payload.subspan(index * part_bytes(meta.payload_bytes), bytes_of_part(meta.payload_bytes, index));
    if (base::xxh3_128(part, part_seed(meta.key)) != opened->sums.sums[index])
      return fail(Code::kCorrupt, "part sum differs");
  }
  return meta;
}

}  // namespace terrace::record
