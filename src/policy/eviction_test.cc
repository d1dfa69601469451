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
  EXPECT_THAT(eviction_policy_names(), ElementsAre("lru", "noop"));
  for (const auto name : eviction_policy_names()) EXPECT_EQ(make_eviction_policy(name).value()->name(), name);
}

TEST(EvictionPolicy, an_unknown_name_is_refused_with_the_allowed_ones) {
  const auto refused = make_eviction_policy("fifo");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().error.code, Code::kInvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr("'fifo'"));
  EXPECT_THAT(refused.error().message, HasSubstr("lru, noop"));
}

}  // namespace
}  // namespace terrace::policy
