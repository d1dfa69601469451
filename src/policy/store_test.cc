#include "policy/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace terrace::policy {
namespace {

using ::testing::ElementsAre;

TEST(StorePolicies, are_found_by_name_S5) {
  EXPECT_THAT(store_policy_names(),
              ElementsAre("write_through", "skip_l1", "on_evict", "second_touch", "none"));
  for (const auto name : store_policy_names()) EXPECT_EQ(make_store_policy(name).value()->name(), name);
}

struct Row {
  const char* name;
  bool committed, seen_again, leaving, leaves_l1, owes;
};

TEST(StorePolicies, write_at_their_moment_S5) {
  const Row rows[] = {{"write_through", true, true, false, false, false},
                      {"skip_l1", true, true, false, true, false},
                      {"on_evict", false, false, true, false, true},
                      {"second_touch", false, true, false, false, false},
                      {"none", false, false, false, false, false}};
  for (const Row& row : rows) {
    const auto policy = make_store_policy(row.name).value();
    EXPECT_EQ(policy->writes(StoreMoment::kCommitted, Key{}), row.committed) << row.name;
    EXPECT_EQ(policy->writes(StoreMoment::kSeenAgain, Key{}), row.seen_again) << row.name;
    EXPECT_EQ(policy->writes(StoreMoment::kLeaving, Key{}), row.leaving) << row.name;
    EXPECT_EQ(policy->leaves_l1(), row.leaves_l1) << row.name;
    EXPECT_EQ(policy->owes(), row.owes) << row.name;
    EXPECT_EQ(stores_without_l1(*policy), row.committed || row.seen_again) << row.name;
  }
}

}  // namespace
}  // namespace terrace::policy
