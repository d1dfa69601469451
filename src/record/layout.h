// The bytes of a record header, format version 1. Integers are little-endian.
//
//   offset  bytes  field
//        0      8  magic "TERRACE1"
//        8      4  format version (1)
//       12      4  header bytes (4096)
//       16     32  key (member key)
//       48     32  family key
//       80     32  parent: member key of the preceding block, zeros for the first of a chain
//      112     32  namespace root
//      144      4  group
//      148      4  shard
//      152      4  shards
//      156      4  number of parts (1 to 64)
//      160      8  payload bytes (1 to 256 MiB)
//      168      8  bytes of a part; the last part is shorter
//      176     32  binding: where the tier put the record
//      208   1024  part sums, 64 x XXH3-128 (low 8 bytes, high 8 bytes); zeros beyond the number of parts
//     1232   2856  zeros
//     4088      8  header sum: XXH3-64 of bytes 0 to 4087, seeded with XXH3-64(secret || binding)
//     4096         payload, then zeros to a multiple of 4096 (not summed, never read)
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/checksum.h"
#include "record/record.h"

namespace terrace::record {

inline constexpr std::array<char, 8> kMagic{'T', 'E', 'R', 'R', 'A', 'C', 'E', '1'};

struct HeaderLayout {
  std::array<char, 8> magic;
  uint32_t version;
  uint32_t header_bytes;
  std::array<uint8_t, 32> key;
  std::array<uint8_t, 32> family;
  std::array<uint8_t, 32> parent;
  std::array<uint8_t, 32> root;
  uint32_t group;
  uint32_t shard;
  uint32_t shards;
  uint32_t part_count;
  uint64_t payload_bytes;
  uint64_t part_bytes;
  Binding binding;
  std::array<base::Sum128, kPartsMax> part_sums;
  std::array<uint8_t, 2856> zeros;
  uint64_t header_sum;
};

static_assert(std::is_trivially_copyable_v<HeaderLayout> && std::is_standard_layout_v<HeaderLayout>);
static_assert(sizeof(HeaderLayout) == kHeaderBytes);
static_assert(offsetof(HeaderLayout, magic) == 0);
static_assert(offsetof(HeaderLayout, version) == 8);
static_assert(offsetof(HeaderLayout, header_bytes) == 12);
static_assert(offsetof(HeaderLayout, key) == 16);
static_assert(offsetof(HeaderLayout, family) == 48);
static_assert(offsetof(HeaderLayout, parent) == 80);
static_assert(offsetof(HeaderLayout, root) == 112);
static_assert(offsetof(HeaderLayout, group) == 144);
static_assert(offsetof(HeaderLayout, shard) == 148);
static_assert(offsetof(HeaderLayout, shards) == 152);
static_assert(offsetof(HeaderLayout, part_count) == 156);
static_assert(offsetof(HeaderLayout, payload_bytes) == 160);
static_assert(offsetof(HeaderLayout, part_bytes) == 168);
static_assert(offsetof(HeaderLayout, binding) == 176);
static_assert(offsetof(HeaderLayout, part_sums) == 208);
static_assert(offsetof(HeaderLayout, zeros) == 1232);
static_assert(offsetof(HeaderLayout, header_sum) == 4088);

inline constexpr size_t kSummedBytes = offsetof(HeaderLayout, header_sum);

}  // namespace terrace::record
