#include "policy/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace terrace::policy {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kDay = 86'400 * kSecond;

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
  EXPECT_FALSE(policy->admit({}, 1000, kDay - 1));
  EXPECT_TRUE(policy->admit({}, 1000, kDay + kDay / 64));
}

TEST(WriteBudget, no_day_has_more_than_its_budget_whenever_it_begins_P15) {
  const auto policy = make_admission_policy("write_budget").value();
  policy->configure({.bytes_per_second = 0, .bytes_per_day = 1000});
  std::vector<std::pair<uint64_t, uint64_t>> written;  // when, bytes
  uint64_t all = 0;
  for (uint64_t now = 7; now < 10 * kDay; now += kDay / 1000) {
    // Asked for all the time, except on the third day.
    if (now / kDay == 2 || !policy->admit({}, 7, now)) continue;
    written.emplace_back(now, 7);
    all += 7;
  }
  for (const auto& [begin, first] : written) {
    uint64_t day = 0;
    for (const auto& [when, bytes] : written) day += when >= begin && when < begin + kDay ? bytes : 0;
    EXPECT_LE(day, 1000u);
  }
  EXPECT_GE(all, 9u * 1000 * 95 / 100);
}

TEST(WriteBudget, without_bounds_takes_everything) {
  const auto policy = make_admission_policy("write_budget").value();
  policy->configure({});
  EXPECT_TRUE(policy->admit({}, 1ull << 40, 0));
}

}  // namespace
}  // namespace terrace::policy
