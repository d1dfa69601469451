#include "cli/record_check.h"

#include <algorithm>

#include <fmt/format.h>

namespace terrace::cli {
namespace {

// The record is sound by itself; what remains is that table and record speak of the same block.
Result<void> compare(const record::BlockMeta& meta, const tier::disk::SlotEntry& entry) {
  const Member member{entry.group, entry.shard, entry.shards};
  const bool same = meta.root == entry.root && meta.parent == entry.parent && meta.family == entry.family &&
                    meta.member == member;
  if (!same) return fail(Code::kCorrupt, "it differs from its slot entry");
  if (!meta.family.is_zero() && member_key(meta.family, meta.member) != meta.key) {
    return fail(Code::kCorrupt, "its key is not that of its family and member");
  }
  return {};
}

}  // namespace

std::optional<Damage> RecordCheck::check(const OfflineStore& store, const OfflineSegment& segment,
                                         const OfflineBlock& block) {
  const auto verified = verify(store, segment, block);
  if (verified) return std::nullopt;
  return Damage{.file = segment.data_path,
                .offset = block.offset,
                .key = block.entry.key,
                .what = fmt::format("{}: {}", where_, to_string(verified.error()))};
}

Result<void> RecordCheck::verify(const OfflineStore& store, const OfflineSegment& segment,
                                 const OfflineBlock& block) {
  const uint64_t payload = block.entry.payload_bytes;
  where_ = "record";
  if (segment.data == nullptr) return fail(Code::kCorrupt, "there is no data file");
  record::Verifier verifier(block.entry.key, payload, store.identity().secret, store.binding(segment, block));
  where_ = "record header";
  const auto header = read(*segment.data, block.offset, record::kHeaderBytes);
  if (!header) return std::unexpected(header.error());
  if (auto sound = verifier.header(*header); !sound) return sound;
  const uint32_t parts = record::part_count(payload);
  const uint64_t part_bytes = record::part_bytes(payload);
  for (uint32_t part = 0; part < parts; ++part) {
    where_ = fmt::format("record payload, part {} of {}", part + 1, parts);
    const uint64_t begin = part * part_bytes;
    const uint64_t length = std::min(part_bytes, payload - begin);
    const auto bytes = read(*segment.data, block.offset + record::kHeaderBytes + begin, length);
    if (!bytes) return std::unexpected(bytes.error());
    if (auto sound = verifier.part(part, *bytes); !sound) return sound;
  }
  where_ = "record";
  return compare(verifier.meta(), block.entry);
}

Result<std::span<const std::byte>> RecordCheck::read(io::File& file, uint64_t offset, uint64_t bytes) {
  const uint64_t pages = base::round_up(bytes, base::kPage);
  if (buffer_.size() < pages) {
    auto larger = memory::PageBuffer::make(pages);
    if (!larger) return std::unexpected(larger.error());
    buffer_ = std::move(*larger);
  }
  if (auto done = files_.read(file, offset, buffer_.bytes().first(pages)); !done)
    return std::unexpected(done.error());
  return std::span<const std::byte>(buffer_.bytes()).first(bytes);
}

}  // namespace terrace::cli
