#include "lab/rows/power_ledger.h"

#include <chrono>

#include <gtest/gtest.h>

namespace terrace::lab {
namespace {

class ManualClock final : public base::Clock {
 public:
  base::TimePoint now() const override { return now_; }
  void pass(base::Duration time) { now_ += time; }

 private:
  base::TimePoint now_{std::chrono::hours(1)};
};

class PowerLedgerTest : public ::testing::Test {
 protected:
  // The only key's next version, written and told.
  void write() {
    const Writer writer = expected_.begin_write(0);
    expected_.write_durable(0, writer);
    ledger_.durable(0);
    clock_.pass(std::chrono::milliseconds(1));
  }
  void sync_and_end_life() {
    ledger_.synced();
    ledger_.end_life(std::chrono::seconds(1), false);
  }
  bool is_owed_after_a_power_cut() {
    ledger_.forgive(expected_);
    return expected_.of(0).must_be_found();
  }

  ManualClock clock_;
  ExpectedState expected_{1};
  PowerLedger ledger_{1, clock_};
};

TEST_F(PowerLedgerTest, what_was_synced_is_owed) {
  write();
  sync_and_end_life();
  EXPECT_TRUE(is_owed_after_a_power_cut());
}

TEST_F(PowerLedgerTest, what_was_not_synced_may_go) {
  write();
  EXPECT_FALSE(is_owed_after_a_power_cut());
}

// Seed 826 of row 1: the server went away in the middle of a removal, which it had carried out.
TEST_F(PowerLedgerTest, what_is_written_after_a_removal_of_unknown_end_does_not_stand_for_what_was_safe) {
  write();
  sync_and_end_life();
  expected_.begin_remove(0);
  ledger_.removal_failed(0);
  write();
  EXPECT_FALSE(is_owed_after_a_power_cut());
}

}  // namespace
}  // namespace terrace::lab
