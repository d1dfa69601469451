#include "policy/eviction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace terrace::policy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(EvictionPolicy, E1_lru_ranks_by_last_use_and_keeps_the_head_of_a_request_longest) {
  const auto lru = make_eviction_policy("lru").value();
  const Key head{{1}}, tail{{2}}, later{{3}};
  const Rank head_rank = lru->rank({.key = head, .time = 20, .inserted = true});
  const Rank tail_rank = lru->rank({.key = tail, .time = 19, .inserted = true});
  const Rank later_rank = lru->rank({.key = later, .time = 30, .inserted = false});
  EXPECT_TRUE(lru->evicts());
  EXPECT_LT(tail_rank, head_rank);
  EXPECT_LT(head_rank, later_rank);
  EXPECT_LT(later_rank, lru->rank({.key = tail, .time = 31, .inserted = false}));
}

TEST(EvictionPolicy, E1_noop_never_evicts) {
  const auto noop = make_eviction_policy("noop").value();
  EXPECT_FALSE(noop->evicts());
}

TEST(EvictionPolicy, every_name_makes_a_policy_of_that_name) {
  EXPECT_THAT(eviction_policy_names(), ElementsAre("lru", "noop", "two_class"));
  for (const auto name : eviction_policy_names()) EXPECT_EQ(make_eviction_policy(name).value()->name(), name);
}

TEST(EvictionPolicy, an_unknown_name_is_refused_with_the_allowed_ones) {
  const auto refused = make_eviction_policy("fifo");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().error.code, Code::kInvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr("'fifo'"));
  EXPECT_THAT(refused.error().message, HasSubstr("lru, noop, two_class"));
}

class TwoClass : public ::testing::Test {
 protected:
  static constexpr uint64_t kSecond = 1'000'000'000;
  static constexpr uint64_t kBonus = 300 * kSecond;

  // Key n of a prompt.
  static Key key(uint8_t prompt, uint8_t n) {
    Key key;
    key.bytes[8] = prompt;
    key.bytes[9] = n;
    return key;
  }
  static std::vector<Key> keys(uint8_t prompt, uint8_t from, uint8_t to) {
    std::vector<Key> keys;
    for (uint8_t n = from; n < to; ++n) keys.push_back(key(prompt, n));
    return keys;
  }
  // Announces and uses; the bonus of the ranks.
  uint64_t use(const std::vector<Key>& keys, const Key& parent = {}) {
    policy_->request(keys, parent, kSecond);
    uint64_t bonus = 0;
    for (const Key& key : keys) bonus = policy_->rank({key, kSecond, true}) - kSecond;
    return bonus;
  }
  std::unique_ptr<EvictionPolicy> policy_ = make_eviction_policy("two_class").value();
};

TEST_F(TwoClass, E1_a_prompt_known_to_seventy_percent_counts_as_five_minutes_younger) {
  EXPECT_EQ(use(keys(1, 0, 7)), 0u);
  EXPECT_EQ(use(keys(1, 0, 10)), kBonus) << "7 of 10 known";
}

TEST_F(TwoClass, E1_a_prompt_known_to_less_is_new) {
  EXPECT_EQ(use(keys(1, 0, 6)), 0u);
  EXPECT_EQ(use(keys(1, 0, 10)), 0u) << "6 of 10 known";
}

TEST_F(TwoClass, E1_evicted_blocks_are_still_known) {
  use(keys(1, 0, 4));
  for (const Key& key : keys(1, 0, 4)) policy_->left(key);
  EXPECT_EQ(use(keys(1, 0, 5)), kBonus);
}

TEST_F(TwoClass, E1_a_new_prompt_that_is_looked_up_and_then_stored_stays_new) {
  policy_->request(keys(1, 0, 5), {}, kSecond);
  EXPECT_EQ(use(keys(1, 0, 5)), 0u);
}

TEST_F(TwoClass, E1_a_tail_follows_its_parent) {
  use(keys(1, 0, 7));
  policy_->request(keys(1, 0, 10), {}, kSecond);  // looked up: continues
  for (const Key& key : keys(1, 0, 7)) policy_->rank({key, kSecond, false});
  EXPECT_EQ(use(keys(1, 7, 10), key(1, 6)), kBonus);
  EXPECT_EQ(use(keys(2, 0, 7)), 0u);
  EXPECT_EQ(use(keys(2, 7, 10), key(2, 6)), 0u);
}

TEST_F(TwoClass, a_request_without_keys_is_new) {
  EXPECT_EQ(use({}), 0u);
}

}  // namespace
}  // namespace terrace::policy
