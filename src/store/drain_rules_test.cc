// A tier drained and resumed at run time, and parallel reads when a middle tier is partial, slow or failing
// (R3).
#include "store/testing/store_fixture.h"

namespace terrace::store {
namespace {

using testing::StoreTest;

class DrainRules : public StoreTest {
 protected:
  void open_named(size_t tiers) {
    options_.tiers.resize(tiers);
    for (size_t i = 0; i < tiers; ++i) {
      options_.tiers[i].kind = TierOptions::Kind::kMock;
      options_.tiers[i].name = "t" + std::to_string(i + 1);
    }
    open(tiers);
  }
};

TEST_F(DrainRules, T1_a_drained_tier_takes_no_write_and_answers_no_lookup) {
  open_named(2);
  store_chain(1, 2);
  settle();
  evict_l1();
  EXPECT_EQ(store_->drain_tier("t1", Timeout(0)).value(), 0u);
  EXPECT_EQ(store_->stats().tiers[1].state, "drained");
  EXPECT_EQ(found(1, 2), 2u);  // from the second tier
  const auto got = store_->get(
      keys(1, 2), {.timeout = kDefaultTimeout, .write_back = WriteBack::kNever, .ticket = nullptr});
  EXPECT_EQ((*got)[0].source, 2);
  store_chain(10, 1);
  settle();
  EXPECT_EQ(places(keys(10, 1))[0] & tier_bit(1), 0);
  ASSERT_TRUE(store_->drain_tier("t2", Timeout(0)));
  evict_l1();
  EXPECT_EQ(found(1, 2), 0u);
  EXPECT_EQ(reason(1), MissReason::kTierUnavailable);
  ASSERT_TRUE(store_->resume_tier("t1"));
  EXPECT_EQ(found(1, 2), 2u);
  EXPECT_EQ(store_->stats().tiers[1].state, "ready");
}

TEST_F(DrainRules, T1_draining_waits_for_what_runs_and_says_what_is_left) {
  open_named(1);
  tiers_[0]->hold_writes = true;
  store_chain(1, 3);
  settle();
  EXPECT_EQ(store_->drain_tier("t1", std::chrono::milliseconds(5)).value(), 3u);
  tiers_[0]->release_writes();
  EXPECT_EQ(store_->drain_tier("t1", std::chrono::milliseconds(5)).value(), 0u);
  ASSERT_TRUE(store_->resume_tier("t1"));
  EXPECT_EQ(places(keys(1, 3))[2], tier_bit(0) | tier_bit(1));
}

TEST_F(DrainRules, Q2_what_is_pinned_in_a_drained_tier_stays_readable) {
  open_named(1);
  store_chain(1, 1);
  settle();
  evict_l1();
  auto pinned = store_->lookup(keys(1, 1), true);
  ASSERT_EQ(pinned->found, 1u);
  ASSERT_TRUE(store_->drain_tier("t1", Timeout(0)));
  EXPECT_EQ(found(1, 1), 0u);
  EXPECT_EQ(store_->get(keys(1, 1))->size(), 1u);
}

TEST_F(DrainRules, T1_a_tier_that_does_not_exist_is_an_error) {
  open_named(1);
  EXPECT_EQ(store_->drain_tier("t9", Timeout(0)).error().code, Code::kNotFound);
  EXPECT_EQ(store_->resume_tier("t9").error().code, Code::kNotFound);
}

TEST_F(DrainRules, R3_a_partial_middle_tier_shares_a_request_with_the_next) {
  options_.tiers.resize(2);
  options_.tiers[0].admission = "write_budget";
  options_.tiers[0].write_bytes_per_second = 2 * 65536;
  open_named(2);
  store_chain(1, 4);
  settle();
  evict_l1();
  ASSERT_EQ(tiers_[0]->records(), 2u);
  tiers_[0]->hold_reads = true;  // the nearer one is slower: both were asked at once
  auto running = store_->get_async(keys(1, 5), {});
  settle();
  EXPECT_EQ(tiers_[0]->reads, 2u);
  EXPECT_EQ(tiers_[1]->reads, 2u);
  EXPECT_FALSE(running->ready());
  tiers_[0]->release_reads();
  settle();
  auto got = running->take();
  ASSERT_EQ(got->size(), 4u);
  EXPECT_EQ((*got)[0].source, 1);
  EXPECT_EQ((*got)[3].source, 2);
  EXPECT_TRUE(right((*got)[3]));
}

TEST_F(DrainRules, R3_a_failing_middle_tier_cuts_the_prefix_and_the_next_request_goes_around_it) {
  options_.tiers.resize(2);
  open_named(2);
  store_chain(1, 4);
  settle();
  evict_l1();
  tiers_[0]->fail_reads = true;
  auto got = store_->get(keys(1, 4));
  EXPECT_EQ(got->size(), 0u);
  EXPECT_EQ(got->reasons()[0], MissReason::kDeviceError);
  tiers_[0]->unavailable = true;  // its breaker opened
  tiers_[0]->listener().state_changed();
  got = store_->get(keys(1, 4));
  EXPECT_EQ(got->size(), 4u);
  EXPECT_EQ((*got)[0].source, 2);
}

}  // namespace
}  // namespace terrace::store
