// Subscriptions: what is stored and removed, tier by tier, and what becomes of a tier.
#include <poll.h>

#include <algorithm>
#include <array>
#include <string>

#include <gmock/gmock.h>

#include "store/testing/store_fixture.h"
#include "surface/change_list.h"

namespace terrace::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::ScriptedTier;
using testing::StoreTest;

class ChangeRules : public StoreTest {
 protected:
  // "+1@0" for block 1 stored in L1, "-1@2" removed from tier 2, "1=drained", "lost 3".
  static std::string text_of(const Change& change) {
    const std::string where = std::to_string(change.tier);
    switch (change.kind) {
      case ChangeKind::kStored:
      case ChangeKind::kRemoved:
        return (change.kind == ChangeKind::kStored ? "+" : "-") + std::to_string(change.key.bytes[0]) + "@" +
               where;
      case ChangeKind::kTierState:
        return where + "=" + std::string(to_string(change.condition));
      case ChangeKind::kLost:
        return "lost " + std::to_string(change.lost);
    }
    return "";
  }
  static std::vector<std::string> told(Subscription& subscription) {
    std::vector<std::string> texts;
    std::array<Change, 64> changes;
    for (size_t count = 0; (count = subscription.poll(changes)) > 0;) {
      for (const Change& change : std::span(changes).first(count)) texts.push_back(text_of(change));
    }
    return texts;
  }
};

TEST_F(ChangeRules, a_block_is_told_of_in_each_tier_once_it_is_there) {
  open(2);
  const auto changes = store_->subscribe();
  tiers_[1]->hold_writes = true;
  store_chain(1, 1);
  EXPECT_THAT(told(*changes), ElementsAre("+1@0"));
  settle();
  EXPECT_THAT(told(*changes), ElementsAre("+1@1"));
  tiers_[1]->release_writes();
  settle();
  EXPECT_THAT(told(*changes), ElementsAre("+1@2"));
  ASSERT_TRUE(store_->remove(keys(1, 1)));
  EXPECT_THAT(told(*changes), ElementsAre("-1@0", "-1@1", "-1@2"));
}

TEST_F(ChangeRules, an_evicted_block_is_told_of_and_so_is_its_return) {
  open(1);
  store_chain(1, 1);
  settle();
  const auto changes = store_->subscribe();
  evict_l1();
  const auto left = told(*changes);
  EXPECT_EQ(std::ranges::count(left, "-1@0"), 1);
  EXPECT_EQ(std::ranges::count(left, "-1@1"), 0);
  ASSERT_EQ(store_->get(keys(1, 1))->size(), 1u);
  const auto back = told(*changes);
  EXPECT_EQ(std::ranges::count(back, "+1@0"), 1);
}

TEST_F(ChangeRules, changes_name_the_blocks_namespace) {
  open(0);
  const auto changes = store_->subscribe();
  store_chain(1, 1);
  std::array<Change, 2> some;
  ASSERT_EQ(changes->poll(some), 1u);
  EXPECT_EQ(some[0].key, key(1));
  EXPECT_EQ(some[0].root, root_);
}

TEST_F(ChangeRules, nothing_of_staging_is_told_before_a_tier_has_it_M2) {
  options_.l1.mode = L1Mode::kStaging;
  open(1);
  const auto changes = store_->subscribe();
  store_chain(1, 1);
  EXPECT_THAT(told(*changes), IsEmpty());
  settle();
  EXPECT_THAT(told(*changes), ElementsAre("+1@1"));
}

TEST_F(ChangeRules, a_tiers_state_is_told_when_it_changes) {
  open(1);
  const std::string name = store_->stats().tiers[1].name;
  const auto changes = store_->subscribe();
  ASSERT_TRUE(store_->drain_tier(name, std::chrono::seconds(1)));
  ASSERT_TRUE(store_->drain_tier(name, std::chrono::seconds(1)));
  ASSERT_TRUE(store_->resume_tier(name));
  EXPECT_THAT(told(*changes), ElementsAre("1=drained", "1=ready"));
}

TEST_F(ChangeRules, several_subscribers_hear_the_same_and_one_that_left_nothing) {
  open(0);
  auto one = store_->subscribe(), other = store_->subscribe();
  store_chain(1, 1);
  EXPECT_THAT(told(*one), ElementsAre("+1@0"));
  one.reset();
  store_chain(2, 1);
  EXPECT_THAT(told(*other), ElementsAre("+1@0", "+2@0"));
}

TEST_F(ChangeRules, its_descriptor_is_readable_while_changes_wait) {
  open(0);
  const auto changes = store_->subscribe();
  pollfd readable{changes->fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&readable, 1, 0), 0);
  store_chain(1, 2);
  EXPECT_EQ(::poll(&readable, 1, 0), 1);
  std::array<Change, 1> one;
  EXPECT_EQ(changes->poll(one), 1u);
  EXPECT_EQ(::poll(&readable, 1, 0), 1);
  EXPECT_EQ(changes->wait(one, std::chrono::seconds(1)), 1u);
  EXPECT_EQ(::poll(&readable, 1, 0), 0);
  EXPECT_EQ(changes->wait(one, std::chrono::seconds(1)), 0u) << "to its deadline";
}

TEST_F(ChangeRules, a_subscription_may_outlive_the_store) {
  open(0);
  const auto changes = store_->subscribe();
  store_chain(1, 1);
  store_.reset();
  manager_.reset();
  std::array<Change, 8> some;
  EXPECT_GE(changes->poll(some), 1u);
}

TEST(ChangeList, what_nobody_reads_is_counted_in_its_place) {
  std::deque<Change> changes;
  const Change stored{.kind = ChangeKind::kStored};
  for (size_t i = 0; i < surface::kChangesMax + 10; ++i) surface::add_change(changes, stored);
  EXPECT_EQ(changes.size(), surface::kChangesMax + 1);
  EXPECT_EQ(changes.back().kind, ChangeKind::kLost);
  EXPECT_EQ(changes.back().lost, 10u);
  for (size_t i = 0; i < 5; ++i) changes.pop_front();
  surface::add_change(changes, stored);
  EXPECT_EQ(changes.back(), stored) << "after what was lost";
  Change lost;
  lost.lost = 4;
  while (changes.size() <= surface::kChangesMax) surface::add_change(changes, stored);
  const uint64_t before = changes.back().lost;
  surface::add_change(changes, lost);
  EXPECT_EQ(changes.back().lost, before + 4) << "a gap in a gap";
}

}  // namespace
}  // namespace terrace::store
