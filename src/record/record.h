// The record: how a block looks in every tier. 4 KiB header, payload, zeros to 4 KiB. The only code that
// knows a record's bytes; docs/format.md has the table.
//
// Payload is summed in parts (one XXH3-128 each, seeded with the first 8 bytes of the key), so that parts
// verify as they arrive. The header sum (XXH3-64) is seeded with XXH3-64(store secret || binding): a record
// that was written elsewhere, in an earlier life of its slot, or by another store fails.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include <terrace/error.h>
#include <terrace/key.h>

#include "base/bytes.h"
#include "base/checksum.h"

namespace terrace::record {

inline constexpr uint64_t kHeaderBytes = 4096;
inline constexpr uint64_t kPayloadBytesMax = 256 * base::kMiB;  // K4
inline constexpr uint32_t kPartsMax = 64;
inline constexpr uint32_t kFormatVersion = 1;

// Where a tier put the record; opaque 32 bytes, chosen by the tier (T1).
using Binding = std::array<uint8_t, 32>;
// Random, per store; on shared tiers the namespace root.
using Secret = std::array<uint8_t, 32>;

// What a record says of its block.
struct BlockMeta {
  Key key;
  Key family;
  Key parent;  // member key of the preceding block; all zero for the first of a chain
  Key root;    // the namespace
  Member member;
  uint64_t payload_bytes = 0;
};

// part = max(1 MiB, payload/64 rounded up to 4 KiB); the last is shorter.
constexpr uint64_t part_bytes(uint64_t payload_bytes) {
  const uint64_t even = base::round_up((payload_bytes + kPartsMax - 1) / kPartsMax, base::kPage);
  return even > base::kMiB ? even : base::kMiB;
}
constexpr uint32_t part_count(uint64_t payload_bytes) {
  return static_cast<uint32_t>((payload_bytes + part_bytes(payload_bytes) - 1) / part_bytes(payload_bytes));
}
// Bytes of the whole record in a tier.
constexpr uint64_t record_bytes(uint64_t payload_bytes) {
  return kHeaderBytes + base::round_up(payload_bytes, base::kPage);
}

// Sums of a payload's parts: computed once, when the first write starts, used by every tier.
struct PartSums {
  uint32_t count = 0;  // 0: not computed
  std::array<base::Sum128, kPartsMax> sums;
};
void sum_parts(const Key& key, std::span<const std::byte> payload, PartSums& sums);

// The part sums of a header that was sealed or verified here before: no check is made.
PartSums sums_in(std::span<const std::byte> header);

// Fills `header` (kHeaderBytes) for one tier.
void seal(const BlockMeta& meta, const PartSums& sums, const Secret& secret, const Binding& binding,
          std::span<std::byte> header);

// Verifies a record while it arrives, in any order of parts. Not thread-safe.
class Verifier {
 public:
  // What is expected: the header must name exactly this key, length and binding.
  Verifier(const Key& key, uint64_t payload_bytes, const Secret& secret, const Binding& binding)
      : key_(key), payload_bytes_(payload_bytes), secret_(secret), binding_(binding) {}

  // The header arrived. kCorrupt, with what differs; kIncompatible when another version of Terrace sealed it.
  // Parts verified before count no longer.
  Result<void> header(std::span<const std::byte> header);
  // Part `index` of the payload arrived whole. Needs the header first. kCorrupt; kInvalidArgument for a part
  // that cannot be: before the header, beyond the last, of another length.
  Result<void> part(uint32_t index, std::span<const std::byte> bytes);
  // Every part was verified.
  bool complete() const {
    return header_seen_ && std::popcount(parts_seen_) == static_cast<int>(sums_.count);
  }
  const BlockMeta& meta() const { return meta_; }
  const PartSums& sums() const { return sums_; }

 private:
  Key key_;
  uint64_t payload_bytes_;
  Secret secret_;
  Binding binding_;
  bool header_seen_ = false;
  uint64_t parts_seen_ = 0;  // a bit each: a part that arrives twice counts once
  BlockMeta meta_;
  PartSums sums_;
};

// Reads a header without knowing what to expect: for scrub and for rebuilding. Verifies magic, version, sum
// and that all fields are in range. kCorrupt; kIncompatible when the sum is right and the version another.
struct OpenedHeader {
  BlockMeta meta;
  PartSums sums;
};
Result<OpenedHeader> open_header(std::span<const std::byte> header, const Secret& secret,
                                 const Binding& binding);
// The whole record in memory: header and payload; what follows the payload is ignored. For scrub, recovery
// and the command line.
Result<BlockMeta> verify_record(std::span<const std::byte> record, const Secret& secret,
                                const Binding& binding);

}  // namespace terrace::record
