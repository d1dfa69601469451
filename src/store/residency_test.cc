#include "store/residency.h"

#include <gtest/gtest.h>

namespace terrace::store {
namespace {

class ResidencyTest : public ::testing::Test {
 protected:
  BlockId block(int n, int parent = -1) {
    Key key;
    key.bytes[0] = static_cast<uint8_t>(n + 1);
    const BlockId id = blocks_.acquire(key);
    if (parent >= 0) {
      Key up;
      up.bytes[0] = static_cast<uint8_t>(parent + 1);
      blocks_.set_parent(id, up);
    }
    return id;
  }
  Index index_;
  BlockTable blocks_{index_};
  Residency residency_{1, blocks_, *policy::make_eviction_policy("lru")};
};

TEST_F(ResidencyTest, E1_offers_the_coldest_leaf_and_never_a_parent) {
  const BlockId a = block(0), b = block(1, 0), c = block(2);
  residency_.insert(a, 1, 0, 0, tier::kNoSegment, 1);
  residency_.insert(b, 1, 0, 0, tier::kNoSegment, 50);
  residency_.insert(c, 1, 0, 0, tier::kNoSegment, 10);
  EXPECT_EQ(residency_.coldest_leaf(), c) << "a is colder but has a child";
  residency_.erase(c);
  EXPECT_EQ(residency_.coldest_leaf(), b);
  residency_.erase(b);
  EXPECT_EQ(residency_.coldest_leaf(), a) << "a leaf now";
}

TEST_F(ResidencyTest, E1_a_child_on_its_way_keeps_its_parent) {
  const BlockId a = block(0);
  residency_.insert(a, 1, 0, 0, tier::kNoSegment, 1);
  residency_.add_child(a);
  EXPECT_FALSE(residency_.coldest_leaf());
  residency_.drop_child(a);
  EXPECT_EQ(residency_.coldest_leaf(), a);
}

TEST_F(ResidencyTest, a_touch_moves_a_block_to_the_warm_end) {
  const BlockId a = block(0), b = block(1);
  const ResidenceId id = residency_.insert(a, 1, 0, 0, tier::kNoSegment, 1);
  residency_.insert(b, 1, 0, 0, tier::kNoSegment, 2);
  residency_.touch(id, 3, false);
  EXPECT_EQ(residency_.coldest_leaf(), b);
}

TEST_F(ResidencyTest, E3_a_pinned_block_is_no_candidate_until_its_last_pin_goes) {
  const BlockId a = block(0);
  const ResidenceId id = residency_.insert(a, 1, 0, 0, tier::kNoSegment, 1);
  residency_.pin(id);
  residency_.pin(id);
  EXPECT_FALSE(residency_.coldest_leaf());
  residency_.unpin(id);
  EXPECT_FALSE(residency_.coldest_leaf());
  residency_.unpin(id);
  EXPECT_EQ(residency_.coldest_leaf(), a);
}

TEST_F(ResidencyTest, E2_offers_the_coldest_segment_without_held_slots) {
  const BlockId a = block(0), b = block(1), c = block(2);
  residency_.insert(a, 1, 0, 0, 0, 5);
  residency_.insert(b, 1, 0, 0, 1, 1);
  residency_.insert(c, 1, 0, 0, 1, 2);
  residency_.hold_segment(1);
  EXPECT_EQ(residency_.coldest_segment(), std::vector{a});
  residency_.drop_segment(1);
  EXPECT_EQ(residency_.coldest_segment().size(), 2u);
}

TEST_F(ResidencyTest, E2_T4_a_segment_of_another_domain_does_not_help) {
  const BlockId a = block(0), b = block(1);
  constexpr uint32_t kOtherPath = 3u << 24;
  residency_.insert(a, 1, 0, 0, kOtherPath + 5, 1);
  residency_.insert(b, 1, 0, 0, 2, 9);
  EXPECT_EQ(residency_.coldest_segment(), std::vector{b});
  EXPECT_EQ(residency_.coldest_segment(3), std::vector{a});
  EXPECT_TRUE(residency_.coldest_segment(1).empty());
}

TEST_F(ResidencyTest, the_index_shows_what_is_resident_and_forgets_what_nothing_refers_to) {
  const BlockId a = block(0);
  residency_.insert(a, 1, 0, 0, tier::kNoSegment, 1);
  const Key key = blocks_[a].key;
  blocks_.release(a);
  EXPECT_EQ(index_.find(key)->mask, tier_bit(1));
  residency_.erase(a);
  EXPECT_FALSE(index_.find(key));
}

TEST_F(ResidencyTest, parents_named_at_will_cannot_make_a_cycle) {
  const BlockId a = block(0), b = block(1, 0);
  blocks_.set_parent(a, blocks_[b].key);
  EXPECT_EQ(blocks_[a].parent, kNoBlock);
}

TEST_F(ResidencyTest, a_long_chain_of_placeholders_unwinds) {
  constexpr int kDeep = 250;
  for (int n = 1; n < kDeep; ++n) {
    const BlockId id = block(n, n - 1);
    if (n + 1 < kDeep) blocks_.add_ref(id), blocks_.release(id);
  }
  EXPECT_EQ(index_.size(), static_cast<size_t>(kDeep));
}

}  // namespace
}  // namespace terrace::store
