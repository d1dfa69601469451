// One key's story, X2.
#include "store/testing/store_fixture.h"

namespace terrace::store {
namespace {

using testing::StoreTest;

class WhyRules : public StoreTest {
 protected:
  static std::vector<uint16_t> tiers_of(const KeyStory& story) {
    std::vector<uint16_t> tiers;
    for (const auto& place : story.places) tiers.push_back(place.tier);
    return tiers;
  }
};

TEST_F(WhyRules, X2_names_each_tier_that_holds_the_block_its_size_parent_and_namespace) {
  open(2);
  store_chain(1, 2);
  settle();
  const KeyStory story = store_->why(key(2));
  EXPECT_EQ(story.reason, MissReason::kNone);
  EXPECT_EQ(tiers_of(story), (std::vector<uint16_t>{0, 1, 2}));
  for (const auto& place : story.places) {
    EXPECT_EQ(place.bytes, kBlock);
    EXPECT_EQ(place.parent, key(1));
    EXPECT_TRUE(place.readable);
  }
  EXPECT_EQ(story.root, root_);
  for (const auto& place : store_->why(key(1)).places) EXPECT_TRUE(place.parent.is_zero()) << "a head";
}

TEST_F(WhyRules, X2_says_what_became_of_a_key) {
  open();
  EXPECT_EQ(store_->why(key(1)).reason, MissReason::kUnknown);
  store_chain(1, 1);
  settle();
  ASSERT_TRUE(store_->remove(keys(1, 1)));
  EXPECT_EQ(store_->why(key(1)).reason, MissReason::kRemoved);
  EXPECT_TRUE(store_->why(key(1)).places.empty());
  tiers_[0]->unavailable = true;
  store_chain(2, 1);
  settle();
  tiers_[0]->unavailable = false;
  evict_l1();
  EXPECT_EQ(store_->why(key(2)).reason, MissReason::kDropped) << "before it left L1, the tier had refused it";
}

TEST_F(WhyRules, X2_tells_a_refused_write_while_another_tier_still_has_the_block) {
  open();
  tiers_[0]->fail_writes = true;
  store_chain(1, 1);
  settle();
  const KeyStory story = store_->why(key(1));
  EXPECT_EQ(story.reason, MissReason::kNone);
  EXPECT_EQ(story.not_written, MissReason::kWriteFailed);
  EXPECT_EQ(tiers_of(story), (std::vector<uint16_t>{0}));
}

TEST_F(WhyRules, X2_tells_what_is_under_way_and_what_cannot_be_read_now) {
  open();
  auto answers = reserve(1, 1);
  EXPECT_EQ(store_->why(key(1)).reason, MissReason::kInFlight);
  answers.clear();
  tiers_[0]->hold_writes = true;
  store_chain(2, 1);
  settle();
  EXPECT_EQ(store_->why(key(2)).on_way_to, (std::vector<std::string>{"tier1"}));
  tiers_[0]->release_writes();
  settle();
  evict_l1();
  tiers_[0]->unavailable = true;
  const KeyStory story = store_->why(key(2));
  EXPECT_EQ(story.reason, MissReason::kTierUnavailable);
  ASSERT_EQ(story.places.size(), 1u);
  EXPECT_FALSE(story.places[0].readable);
}

TEST_F(WhyRules, X2_a_block_known_only_as_a_parent_is_in_no_namespace) {
  open();
  store_chain(2, 1, key(1));
  settle();
  EXPECT_EQ(store_->why(key(1)).root, std::nullopt);
  EXPECT_EQ(store_->why(key(2)).root, root_);
}

}  // namespace
}  // namespace terrace::store
