// Policies as the store obeys them: store (S5, E3), admission (P15), write-back (R4), prefetch (R7).
#include <cstdlib>

#include "store/testing/store_fixture.h"

namespace terrace::store {
namespace {

using testing::StoreTest;

class PolicyRules : public StoreTest {
 protected:
  void open_with(std::vector<std::string> policies) {
    options_.tiers.resize(policies.size());
    for (size_t i = 0; i < policies.size(); ++i) {
      options_.tiers[i].kind = TierOptions::Kind::kMock;
      options_.tiers[i].name = "tier" + std::to_string(i + 1);
      options_.tiers[i].store_policy = policies[i];
    }
    open(policies.size());
  }
  uint64_t drops(size_t tier, DropCause cause) const {
    return store_->stats().tiers[tier].drops[static_cast<size_t>(cause)];
  }
};

TEST_F(PolicyRules, S5_each_tier_has_its_own_policy) {
  open_with({"write_through", "none"});
  store_chain(1, 3);
  settle();
  EXPECT_EQ(tiers_[0]->records(), 3u);
  EXPECT_EQ(tiers_[1]->records(), 0u);
}

TEST_F(PolicyRules, S5_skip_l1_writes_and_leaves_L1_when_the_write_ended) {
  open_with({"skip_l1"});
  tiers_[0]->hold_writes = true;
  store_chain(1, 3);
  settle();
  EXPECT_EQ(places(keys(1, 3))[0], tier_bit(0));
  tiers_[0]->release_writes();
  settle();
  EXPECT_EQ(places(keys(1, 3)), std::vector<TierMask>(3, tier_bit(1)));
  EXPECT_EQ(store_->stats().tiers[0].used_bytes, 0u);
}

TEST_F(PolicyRules, S5_second_touch_writes_what_is_seen_again) {
  open_with({"second_touch"});
  store_chain(1, 4);
  settle();
  EXPECT_EQ(tiers_[0]->records(), 0u);
  reserve(1, 2);  // another request brings the same prefix
  settle();
  EXPECT_EQ(tiers_[0]->records(), 2u);
  EXPECT_EQ(store_->get(keys(1, 3))->size(), 3u);
  settle();
  EXPECT_EQ(tiers_[0]->records(), 3u);
}

TEST_F(PolicyRules, S5_second_touch_sees_a_get_into_too) {
  open_with({"second_touch"});
  store_chain(1, 2);
  settle();
  std::vector<std::byte> memory(2 * kBlock);
  const RegionId region = store_->register_region(memory.data(), memory.size()).value();
  auto into =
      store_->get_into(keys(1, 2), std::vector<RegionSlice>{{region, 0, kBlock}, {region, kBlock, kBlock}});
  settle();
  EXPECT_EQ(into->result().delivered, 2u);
  EXPECT_EQ(tiers_[0]->records(), 2u);
  EXPECT_TRUE(store_->unregister_region(region));
}

TEST_F(PolicyRules, S5_second_touch_in_staging_writes_what_is_stored_again) {
  options_.l1.mode = L1Mode::kStaging;
  open_with({"second_touch"});
  store_chain(1, 2);
  settle();
  EXPECT_EQ(tiers_[0]->records(), 0u);
  EXPECT_EQ(reason(1), MissReason::kDeclined);
  EXPECT_EQ(store_->stats().tiers[0].used_bytes, 0u);
  store_chain(1, 2);
  settle();
  EXPECT_EQ(tiers_[0]->records(), 2u);
}

TEST_F(PolicyRules, S5_on_evict_writes_nothing_while_L1_has_room) {
  open_with({"on_evict"});
  store_chain(1, 10);
  settle();
  EXPECT_EQ(tiers_[0]->writes, 0u);
}

TEST_F(PolicyRules, E3_on_evict_writes_down_from_the_cold_end_before_there_is_need) {
  options_.l1.low_watermark = 0.5;
  open_with({"on_evict"});
  constexpr int kHalf = kL1Blocks / 2;
  store_chain(1, kHalf - 2);
  settle();
  EXPECT_EQ(tiers_[0]->writes, 0u);
  store_chain(1001, 10);
  executor_.run_until_idle();
  EXPECT_GT(tiers_[0]->records(), 0u);
  EXPECT_EQ(found(1, kHalf - 2), size_t{kHalf - 2});
  EXPECT_EQ(found(1001, 10), 10u);
}

TEST_F(PolicyRules, E3_on_evict_loses_nothing_and_keeps_chains_whole) {
  options_.l1.low_watermark = 0.8;
  open_with({"on_evict"});
  size_t stored = 0;
  for (int chain = 0; chain < 20; ++chain) {
    stored += store_waiting(1 + chain * 100, 20);
    settle();
  }
  EXPECT_EQ(stored, 400u);
  for (int chain = 0; chain < 20; ++chain) EXPECT_EQ(found(1 + chain * 100, 20), 20u) << chain;
  for (int chain = 0; chain < 20; ++chain) {
    const auto got = store_->get(keys(1 + chain * 100, 20));
    ASSERT_EQ(got->size(), 20u);
    EXPECT_TRUE(right((*got)[19]));
  }
  EXPECT_EQ(drops(1, DropCause::kParentDropped), 0u);
}

TEST_F(PolicyRules, E3_on_evict_lets_go_when_every_wanted_tier_is_unavailable_and_counts) {
  open_with({"on_evict"});
  store_chain(1, kL1Blocks);
  settle();
  tiers_[0]->unavailable = true;
  EXPECT_EQ(store_chain(5001, 4), 4u);
  settle();
  EXPECT_GE(drops(1, DropCause::kUnavailable), 4u);
  EXPECT_EQ(found(1, kL1Blocks), kL1Blocks - 4);
  EXPECT_EQ(reason(kL1Blocks), MissReason::kDropped);
}

TEST_F(PolicyRules, E3_on_evict_lets_go_of_what_no_write_may_carry) {
  options_.store_bytes_in_flight = kBlock / 2;
  open_with({"on_evict"});
  store_chain(1, kL1Blocks);
  settle();
  EXPECT_EQ(store_chain(5001, 4), 4u);
  EXPECT_EQ(reason(kL1Blocks), MissReason::kDropped);
}

TEST_F(PolicyRules, E3_on_evict_tries_once_what_fails_at_once) {
  options_.l1.low_watermark = 0.5;
  open_with({"on_evict"});
  tiers_[0]->fail_writes = true;
  for (int i = 0; i < 10; ++i) store_chain(1 + 10 * i, 8);  // prompts of their own
  settle();
  store_chain(1001, 1);
  executor_.run_until_idle();
  EXPECT_GT(tiers_[0]->writes, 0u);
  EXPECT_LE(tiers_[0]->writes, 81u) << "each block once";
  EXPECT_EQ(reason(8), MissReason::kWriteFailed);
}

TEST_F(PolicyRules, P15_write_budget_admits_whole_tails_only) {
  options_.tiers.resize(1);
  options_.tiers[0].admission = "write_budget";
  options_.tiers[0].write_bytes_per_second = 3 * 65536;
  open_with({"write_through"});
  store_chain(1, 5);
  settle();
  EXPECT_EQ(tiers_[0]->records(), 3u);
  EXPECT_EQ(drops(1, DropCause::kNotAdmitted), 1u);
  EXPECT_EQ(drops(1, DropCause::kParentDropped), 1u);  // what follows a refused block is dead weight (S3)
  executor_.run_for(std::chrono::seconds(1));
  reserve(1, 5);
  settle();
  EXPECT_EQ(tiers_[0]->records(), 5u);
}

TEST_F(PolicyRules, E1_two_class_learns_of_the_stores_requests) {
  options_.l1.eviction = "two_class";
  open_with({"none"});
  // A conversation that was stored, found and went on; then as many new prompts as fill L1.
  store_chain(1, 8);
  settle();
  EXPECT_EQ(store_->get(keys(1, 8))->size(), 8u);
  store_chain(9, 2, key(8));
  settle();
  for (int prompt = 0; prompt < 30; ++prompt) {
    store_chain(1000 + prompt * 10, 8);
    settle();
  }
  EXPECT_EQ(found(1, 10), 10u);  // with lru it would be the first to go
  EXPECT_EQ(found(1000, 8), 0u);
}

TEST_F(PolicyRules, R4_second_touch_keeps_what_was_asked_for_before) {
  options_.write_back = WriteBack::kSecondTouch;
  open_with({"skip_l1"});
  store_chain(1, 2);
  settle();
  EXPECT_EQ(store_->get(keys(1, 2))->size(), 2u);
  EXPECT_EQ(places(keys(1, 2))[0], tier_bit(1));
  EXPECT_EQ(store_->get(keys(1, 2))->size(), 2u);
  EXPECT_EQ(places(keys(1, 2))[0], tier_bit(0) | tier_bit(1));
}

TEST_F(PolicyRules, R7_the_stores_prefetch_policy_holds_unless_a_request_names_one) {
  options_.prefetch_policy = PrefetchPolicy::kTemporary;
  open_with({"skip_l1"});
  store_chain(1, 2);
  settle();
  {
    const auto ticket = store_->prefetch(keys(1, 2));
    settle();
    EXPECT_EQ(places(keys(1, 2))[0], tier_bit(0) | tier_bit(1));
  }
  EXPECT_EQ(places(keys(1, 2))[0], tier_bit(1));
  {
    const auto ticket = store_->prefetch(keys(1, 2), {.policy = PrefetchPolicy::kRetain, .write_back = {}});
    settle();
  }
  EXPECT_EQ(places(keys(1, 2))[0], tier_bit(0) | tier_bit(1));
}

}  // namespace
}  // namespace terrace::store
