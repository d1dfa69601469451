// XXH3, the only checksum of Terrace. Not cryptographic: seeds carry secrets where an attacker chooses bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace terrace::base {

struct Sum128 {
  uint64_t low = 0;
  uint64_t high = 0;
  friend bool operator==(const Sum128&, const Sum128&) = default;
};
static_assert(sizeof(Sum128) == 16);

uint64_t xxh3_64(std::span<const std::byte> bytes, uint64_t seed = 0);
Sum128 xxh3_128(std::span<const std::byte> bytes, uint64_t seed = 0);

}  // namespace terrace::base
