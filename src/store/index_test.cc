// The index against a map that is known to work.
#include "store/index.h"

#include <map>

#include <gtest/gtest.h>

#include "base/random.h"

namespace terrace::store {
namespace {

Key key_of(uint64_t n) {
  Key key;
  for (size_t i = 0; i < 8; ++i) key.bytes[8 + i] = static_cast<uint8_t>(n >> (8 * i));
  return key;
}

TEST(Index, answers_as_a_map_does_whatever_is_put_and_erased) {
  base::Random random(5);
  Index index;
  std::map<Key, Index::Entry> expected;
  for (int step = 0; step < 200'000; ++step) {
    const Key key = key_of(random.below(5'000));
    switch (random.below(4)) {
      case 0:
      case 1: {
        const Index::Entry entry{static_cast<BlockId>(random.below(1 << 20)),
                                 static_cast<TierMask>(random.below(16))};
        index.put(key, entry);
        expected.insert_or_assign(key, entry);
        break;
      }
      case 2:
        index.erase(key);
        expected.erase(key);
        break;
      default: {
        const auto mask = static_cast<TierMask>(random.below(16));
        index.set_mask(key, mask);
        if (const auto known = expected.find(key); known != expected.end()) known->second.mask = mask;
      }
    }
    const Key asked = key_of(random.below(5'000));
    const auto found = index.find(asked);
    const auto known = expected.find(asked);
    ASSERT_EQ(found.has_value(), known != expected.end());
    if (found) {
      ASSERT_EQ(found->block, known->second.block);
      ASSERT_EQ(found->mask, known->second.mask);
    }
    ASSERT_EQ(index.size(), expected.size());
  }
}

TEST(Index, a_prefix_ends_at_the_first_key_that_no_visible_tier_holds) {
  Index index;
  std::vector<Key> keys;
  for (uint64_t n = 0; n < 1000; ++n) {
    keys.push_back(key_of(n));
    index.put(keys.back(), {static_cast<BlockId>(n), n == 700 ? TierMask{2} : TierMask{1}});
  }
  for (const size_t asked : {0, 1, 7, 8, 9, 72, 328, 329, 700, 701, 1000}) {
    std::vector<TierMask> where;
    EXPECT_EQ(index.prefix(std::span(keys).first(asked), 1, where), std::min<size_t>(asked, 700));
    EXPECT_EQ(where.size(), std::min<size_t>(asked, 700));
  }
  std::vector<TierMask> where;
  EXPECT_EQ(index.prefix(keys, 3, where), 1000u);
  EXPECT_EQ(where[700], 2);
  index.erase(keys[40]);
  where.clear();
  EXPECT_EQ(index.prefix(keys, 3, where), 40u);
}

}  // namespace
}  // namespace terrace::store
