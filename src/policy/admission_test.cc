#include "policy/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace terrace::policy {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

TEST(AdmissionPolicies, are_found_by_name) {
  EXPECT_THAT(admission_policy_names(), ::testing::ElementsAre("always", "write_budget"));
  for (const auto name : admission_policy_names()) {
    EXPECT_EQ(make_admission_policy(name).value()->name(), name);
  }
}

TEST(WriteBudget, bounds_bytes_by_the_second) {
  const auto policy = make_admission_policy("write_budget").value();
  policy->configure({.bytes_per_second = 100, .bytes_per_day = 0});
  EXPECT_TRUE(policy->admit({}, 60, 5 * kSecond));
  EXPECT_FALSE(policy->admit({}, 60, 5 * kSecond));
  EXPECT_TRUE(policy->admit({}, 40, 5 * kSecond));
  EXPECT_FALSE(policy->admit({}, 60, 5 * kSecond + kSecond / 2));
  EXPECT_TRUE(policy->admit({}, 60, 6 * kSecond));
}

TEST(WriteBudget, bounds_bytes_by_the_day_and_refuses_without_charging) {
  const auto policy = make_admission_policy("write_budget").value();
  policy->configure({.bytes_per_second = 1000, .bytes_per_day = 1500});
  EXPECT_TRUE(policy->admit({}, 1000, 0));
  EXPECT_FALSE(policy->admit({}, 1000, kSecond));
  EXPECT_TRUE(policy->admit({}, 500, kSecond));
  EXPECT_FALSE(policy->admit({}, 500, 10 * kSecond));
  EXPECT_TRUE(policy->admit({}, 1000, 86'400 * kSecond));
}

TEST(WriteBudget, without_bounds_takes_everything) {
  const auto policy = make_admission_policy("write_budget").value();
  policy->configure({});
  EXPECT_TRUE(policy->admit({}, 1ull << 40, 0));
}

}  // namespace
}  // namespace terrace::policy
