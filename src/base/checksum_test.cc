#include "base/checksum.h"

#include <vector>

#include <gtest/gtest.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace terrace::base {
namespace {

TEST(Checksum, is_xxh3_for_every_length_class_and_seed) {
  std::vector<std::byte> bytes(1 << 16);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 2654435761U >> 13);
  for (const size_t length :
       {0UL, 1UL, 3UL, 8UL, 16UL, 64UL, 128UL, 129UL, 240UL, 241UL, 1024UL, 4088UL, 65536UL}) {
    for (const uint64_t seed : {uint64_t{0}, uint64_t{1}, ~uint64_t{0}}) {
      const auto part = std::span(bytes).first(length);
      const XXH128_hash_t reference = XXH3_128bits_withSeed(part.data(), part.size(), seed);
      EXPECT_EQ(xxh3_128(part, seed), (Sum128{reference.low64, reference.high64})) << length;
      EXPECT_EQ(xxh3_64(part, seed), XXH3_64bits_withSeed(part.data(), part.size(), seed)) << length;
    }
  }
}

TEST(Checksum, known_values_are_fixed) {
  // The empty string, from xxHash's own test vectors.
  EXPECT_EQ(xxh3_64({}), 0x2D06800538D394C2U);
  EXPECT_EQ(xxh3_128({}), (Sum128{0x6001C324468D497FU, 0x99AA06D3014798D8U}));
}

}  // namespace
}  // namespace terrace::base
