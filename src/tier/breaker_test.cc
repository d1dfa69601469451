#include "tier/breaker.h"

#include <gtest/gtest.h>

namespace terrace::tier {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr base::TimePoint kStart{seconds(1000)};

Breaker tripped() {
  Breaker breaker;
  for (int i = 0; i < 8; ++i) breaker.record(false, kStart);
  return breaker;
}

TEST(Breaker, opens_after_eight_failures_in_a_row_T2) {
  Breaker breaker;
  for (int i = 0; i < 7; ++i) EXPECT_FALSE(breaker.record(false, kStart));
  EXPECT_FALSE(breaker.record(true, kStart));
  for (int i = 0; i < 7; ++i) EXPECT_FALSE(breaker.record(false, kStart));
  EXPECT_FALSE(breaker.open());
  EXPECT_TRUE(breaker.record(false, kStart));
  EXPECT_TRUE(breaker.open());
}

TEST(Breaker, opens_when_half_of_32_within_a_second_failed_T2) {
  Breaker breaker;
  for (int i = 0; i < 31; ++i) EXPECT_FALSE(breaker.record(i % 2 == 0, kStart + milliseconds(i * 10)));
  EXPECT_TRUE(breaker.record(false, kStart + milliseconds(400)));
}

TEST(Breaker, failures_spread_over_time_do_not_open_it_T2) {
  Breaker breaker;
  for (int i = 0; i < 400; ++i) EXPECT_FALSE(breaker.record(i % 2 == 0, kStart + milliseconds(i * 100)));
  EXPECT_FALSE(breaker.open());
}

TEST(Breaker, a_window_of_successes_keeps_it_closed) {
  Breaker breaker;
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(breaker.record(i % 3 != 0, kStart));
}

TEST(Breaker, probes_back_off_from_100_ms_to_4_s_and_close_it_C3) {
  Breaker breaker = tripped();
  base::TimePoint now = kStart;
  for (const int wait_ms : {100, 200, 400, 800, 1600, 3200, 4000, 4000}) {
    EXPECT_EQ(breaker.probe_at(), now + milliseconds(wait_ms));
    now = breaker.probe_at();
    breaker.probe_started();
    EXPECT_EQ(breaker.probe_at(), base::kForever);
    EXPECT_FALSE(breaker.probe_ended(false, now));
  }
  breaker.probe_started();
  EXPECT_TRUE(breaker.probe_ended(true, now));
  EXPECT_FALSE(breaker.open());
  EXPECT_EQ(breaker.probe_at(), base::kForever);
}

TEST(Breaker, late_outcomes_neither_close_nor_delay_it) {
  Breaker breaker = tripped();
  const auto due = breaker.probe_at();
  EXPECT_FALSE(breaker.record(true, kStart + milliseconds(1)));
  EXPECT_FALSE(breaker.record(false, kStart + milliseconds(2)));
  EXPECT_TRUE(breaker.open());
  EXPECT_EQ(breaker.probe_at(), due);
}

}  // namespace
}  // namespace terrace::tier
