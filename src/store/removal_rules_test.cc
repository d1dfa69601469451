// D1 beside everything else that runs: recovery, loads, writes, placeholders of parents.
#include "store/testing/store_fixture.h"

namespace terrace::store {
namespace {

using testing::StoreTest;

class RemovalRules : public StoreTest {
 protected:
  // As recovery would find the block.
  tier::FoundBlock found_block(int n) {
    tier::FoundBlock block;
    block.meta = {key(n), {}, {}, root_, {}, kBlock};
    block.where.place = static_cast<tier::Place>(1000 + n);
    return block;
  }
  // Block 1 is on its way to the tier.
  void begin_write(bool will_fail = false) {
    open();
    tiers_[0]->hold_writes = true;
    tiers_[0]->fail_writes = will_fail;
    store_chain(1, 1);
    settle();
  }
};

TEST_F(RemovalRules, D1_takes_a_block_and_a_parent_that_was_never_stored) {
  open();
  for (int round = 0; round < 3; ++round) {
    store_chain(2, 1, key(1));  // 1 is only the name of 2's parent
    settle();
    EXPECT_EQ(*store_->remove(keys(1, 2)), 1u);
    store_chain(10 * round + 10, 2);  // entries are used again, each for one key
    store_chain(10 * round + 15, 2);
    settle();
    EXPECT_EQ(found(10 * round + 10, 2), 2u);
    EXPECT_EQ(found(10 * round + 15, 2), 2u);
  }
}

TEST_F(RemovalRules, D1_waits_for_what_recovery_has_yet_to_announce) {
  prepare_ = [this] {
    tiers_[0]->hold_recovery = true;
    tiers_[0]->found_at_start = {found_block(1), found_block(2)};
  };
  open();
  executor_.post_at(executor_.now() + std::chrono::milliseconds(5),
                    [this] { tiers_[0]->release_recovery(); });
  EXPECT_EQ(*store_->remove(keys(1, 1)), 1u);
  EXPECT_EQ(found(1, 1), 0u);
  EXPECT_EQ(found(2, 1), 1u);
}

TEST_F(RemovalRules, D1_what_is_stored_again_is_found_while_a_read_of_the_removed_one_runs) {
  open();
  store_chain(1, 1);
  settle();
  evict_l1();
  tiers_[0]->hold_reads = true;
  auto before = store_->get_async(keys(1, 1), {});
  settle();
  ASSERT_FALSE(before->ready());
  ASSERT_TRUE(store_->remove(keys(1, 1)));
  EXPECT_TRUE(before->ready()) << "what it waits for is gone";
  EXPECT_EQ(before->take()->reasons()[0], MissReason::kRemoved);
  store_chain(1, 1);
  settle();
  evict_l1();
  auto after = store_->get_async(keys(1, 1), {});
  settle();
  tiers_[0]->release_reads();
  settle();
  const auto blocks = after->take();
  ASSERT_TRUE(blocks);
  ASSERT_EQ(blocks->size(), 1u) << "not the miss of a block in flight";
  EXPECT_TRUE(right((*blocks)[0]));
}

TEST_F(RemovalRules, D1_is_refused_when_recovery_does_not_end_in_time) {
  prepare_ = [this] { tiers_[0]->hold_recovery = true; };
  open();
  EXPECT_EQ(store_->remove(keys(1, 1)).error().code, Code::kDeadline);
  EXPECT_EQ(store_->clear({.all = true}).error().code, Code::kDeadline);
}

TEST_F(RemovalRules, D1_reaches_tiers_that_hold_nothing_of_it_any_more) {
  open(2);
  EXPECT_EQ(*store_->remove(keys(1, 1)), 0u);
  EXPECT_EQ(tiers_[0]->lasting_removals, 1u) << "an evicted block may still stand on the medium";
  EXPECT_EQ(tiers_[1]->lasting_removals, 1u);
}

TEST_F(RemovalRules, D1_a_block_loaded_for_a_get_that_still_waits_is_not_kept) {
  open();
  store_chain(1, 2);
  settle();
  evict_l1();
  tiers_[0]->hold_reads = true;
  auto get = store_->get_async(keys(1, 2), {});
  settle();
  tiers_[0]->release_one_read();  // 1 is there, 2 is not
  settle();
  EXPECT_TRUE(store_->remove(keys(1, 1)));
  tiers_[0]->release_reads();
  settle();
  EXPECT_TRUE(get->ready());
  EXPECT_EQ(found(1, 1), 0u);
}

// A tier that names records by key would keep the old record and say that the new one is written.
TEST_F(RemovalRules, D1_a_block_is_not_written_to_a_tier_that_has_yet_to_remove_it) {
  open();
  store_chain(1, 1);
  settle();
  tiers_[0]->before_lasting_removal = [this] {
    store_chain(1, 1);
    settle();
  };
  EXPECT_TRUE(store_->remove(keys(1, 1)));
  EXPECT_EQ(tiers_[0]->writes, 1u);
  EXPECT_EQ(places(keys(1, 1)), std::vector<TierMask>{TierMask{1}}) << "L1 has what was stored anew";
  const StoreStats stats = store_->stats();
  EXPECT_EQ(stats.tiers[1].drops[static_cast<size_t>(DropCause::kRemoved)], 1u);
  store_chain(2, 1);
  EXPECT_EQ(*store_->remove(keys(1, 2)), 2u);
  store_chain(1, 1);
  settle();
  EXPECT_EQ(places(keys(1, 1)), std::vector<TierMask>{TierMask{3}}) << "the removal is over";
}

TEST_F(RemovalRules, D1_what_a_shared_tier_says_of_a_block_it_has_yet_to_remove_is_not_believed) {
  prepare_ = [this] {
    tiers_[0]->exact_index = false;
    tiers_[0]->payload_bytes = kBlock;
  };
  open();
  store_chain(1, 1);
  settle();
  std::optional<LookupOperation> asked;
  tiers_[0]->before_lasting_removal = [&] {
    asked = std::move(*store_->lookup_async(keys(1, 1)));
    settle();
    EXPECT_EQ(store_->get(keys(1, 1))->size(), 0u);
  };
  EXPECT_TRUE(store_->remove(keys(1, 1)));
  EXPECT_EQ(asked->take()->found, 0u);
  EXPECT_EQ(found(1, 1), 0u);
}

TEST_F(RemovalRules, recovery_does_not_replace_what_is_being_written_anew) {
  begin_write();
  const auto old = found_block(1);
  EXPECT_TRUE(tiers_[0]->listener().found(std::span(&old, 1)).empty());
  EXPECT_EQ(tiers_[0]->removes, 0u) << "a kill now must not take both";
  tiers_[0]->release_writes();
  settle();
  EXPECT_EQ(tiers_[0]->removes, 1u);
  evict_l1();
  EXPECT_EQ(store_->get(keys(1, 1))->size(), 1u);
}

// A tier that names records by key, not by place, has one place for both.
TEST_F(RemovalRules, what_recovery_found_at_the_very_place_of_the_write_anew_is_left_to_it) {
  begin_write();
  auto old = found_block(1);
  old.where.place = 1;  // the first that the tier gave out
  EXPECT_TRUE(tiers_[0]->listener().found(std::span(&old, 1)).empty());
  tiers_[0]->release_writes();
  settle();
  EXPECT_EQ(tiers_[0]->removes, 0u);
  evict_l1();
  EXPECT_EQ(store_->get(keys(1, 1))->size(), 1u);
}

TEST_F(RemovalRules, what_recovery_found_stays_when_the_write_anew_fails) {
  begin_write(true);
  const auto old = found_block(1);
  EXPECT_TRUE(tiers_[0]->listener().found(std::span(&old, 1)).empty());
  tiers_[0]->release_writes();
  settle();
  evict_l1();
  EXPECT_EQ(places(keys(1, 1)), std::vector<TierMask>{TierMask{2}});
}

TEST_F(RemovalRules, D1_takes_what_recovery_found_beside_a_write_anew) {
  begin_write();
  const auto old = found_block(1);
  EXPECT_TRUE(tiers_[0]->listener().found(std::span(&old, 1)).empty());
  executor_.post_at(executor_.now() + std::chrono::milliseconds(5), [this] { tiers_[0]->release_writes(); });
  EXPECT_TRUE(store_->remove(keys(1, 1)));
  EXPECT_EQ(tiers_[0]->removes, 2u) << "both places";
  EXPECT_EQ(found(1, 1), 0u);
}

TEST_F(RemovalRules, D1_is_refused_when_a_write_under_way_cannot_be_undone) {
  begin_write();
  executor_.post_at(executor_.now() + std::chrono::milliseconds(5), [this] {
    tiers_[0]->fail_removes = true;
    tiers_[0]->release_writes();
  });
  EXPECT_EQ(store_->remove(keys(1, 1)).error().code, Code::kIo);
  EXPECT_EQ(found(1, 1), 0u);
}

// The device may have it all the same.
TEST_F(RemovalRules, D1_undoes_a_write_under_way_that_failed) {
  open();
  tiers_[0]->hold_writes = tiers_[0]->fail_writes = true;
  store_chain(1, 1);
  settle();
  executor_.post_at(executor_.now() + std::chrono::milliseconds(5), [this] { tiers_[0]->release_writes(); });
  EXPECT_TRUE(store_->remove(keys(1, 1)));
  EXPECT_EQ(tiers_[0]->lasting_removals, 2u) << "the removal's own, and one when the write had ended";
}

TEST_F(RemovalRules, K4_a_key_named_twice_gets_the_same_answer_where_it_is_present) {
  open();
  store_chain(1, 1);
  settle();
  const std::vector<BlockSpec> specs{
      {key(1), kBlock, {}, {}}, {key(2), kBlock, {}, {}}, {key(1), kBlock, {}, {}}};
  const auto answers = store_->reserve({root_, {}, specs});
  EXPECT_EQ((*answers)[0].outcome, ReserveOutcome::kPresent);
  EXPECT_EQ((*answers)[2].outcome, ReserveOutcome::kPresent);
}

TEST_F(RemovalRules, Q5_a_get_cancelled_before_it_began_says_so) {
  open();
  auto get = store_->get_async(keys(1, 2), {});
  get->cancel();
  const auto blocks = get->take();
  ASSERT_TRUE(blocks);
  EXPECT_EQ(blocks->reasons()[0], MissReason::kCancelled);
  EXPECT_EQ(blocks->reasons()[1], MissReason::kBehindHole);
  settle();
}

}  // namespace
}  // namespace terrace::store
