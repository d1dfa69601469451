// Replaces src/base/checksum.cc in terrace-bench-no-sums: payloads are not read, so that the same run beside
// terrace-bench shows what the sums cost. Never linked into anything else.
#include <xxhash.h>

#include "base/checksum.h"

namespace terrace::base {

uint64_t xxh3_64(std::span<const std::byte> bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

Sum128 xxh3_128(std::span<const std::byte> bytes, uint64_t seed) {
  return {.low = bytes.size(), .high = seed};
}

}  // namespace terrace::base
