#include <gtest/gtest.h>

#include <cerrno>

#include "base/virtual_executor.h"
#include "io/fault_engine.h"
#include "io/fault_file_system.h"
#include "io/sim/sim_engine.h"
#include "io/sim/sim_file_system.h"
#include "io/test_support.h"

namespace terrace::io {
namespace {

using test::Buffer;
using test::request;

constexpr uint64_t kPage = 4096;

class Faults : public testing::Test {
 protected:
  Faults() {
    file_ = std::move(*files_.open("file", {.create = true, .direct = true}));
    EXPECT_TRUE(files_.allocate(*file_, 64 * kPage));
  }
  Result<void> perform(IoRequest one) {
    std::optional<Result<void>> ended;
    one.done = [&ended](Result<void> result) { ended = result; };
    engine_.submit(std::span(&one, 1));
    executor_.run_until_idle();
    EXPECT_TRUE(ended);
    return ended.value_or(Result<void>());
  }
  Result<void> write(uint64_t page, Buffer& from) {
    return perform(request(IoOp::kWrite, *file_, page * kPage, {from.span()}));
  }
  Result<void> read(uint64_t page, Buffer& to) {
    return perform(request(IoOp::kRead, *file_, page * kPage, {to.span()}));
  }
  Buffer stored(uint64_t page, size_t bytes = kPage) {
    Buffer memory(bytes);
    EXPECT_TRUE(files_.read(*file_, page * kPage, memory.span()));
    return memory;
  }

  base::VirtualExecutor executor_;
  SimDisk disk_;
  SimFileSystem files_{disk_};
  FaultPlan plan_{1};
  FaultFileSystem faulty_files_{files_, plan_};
  FaultEngine engine_{std::make_unique<SimEngine>(disk_, executor_, executor_), plan_, executor_, executor_};
  std::unique_ptr<File> file_;
  Buffer old_{4 * kPage, 1}, new_{4 * kPage, 2}, zeros_{kPage};
};

TEST_F(Faults, are_none_when_none_are_asked_for) {
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(write(1, new_));
    Buffer back(4 * kPage);
    ASSERT_TRUE(read(1, back));
    EXPECT_EQ(back, new_);
  }
  EXPECT_EQ(plan_.counts(), FaultCounts());
}

TEST_F(Faults, come_at_their_rate_and_are_counted) {
  plan_.set_chance(FaultKind::kReadError, 1.0 / 32);
  uint64_t failed = 0;
  for (int i = 0; i < 3200; ++i) {
    const auto done = read(0, zeros_);
    if (done) continue;
    ++failed;
    EXPECT_EQ(done.error().code, Code::kIo);
    EXPECT_EQ(done.error().sys_errno, EIO);
  }
  EXPECT_EQ(plan_.counts()[FaultKind::kReadError], failed);
  EXPECT_NEAR(static_cast<double>(failed), 100, 35);
}

TEST_F(Faults, repeat_with_their_seed) {
  const auto run = [&](uint64_t seed) {
    FaultPlan plan(seed);
    plan.set_chance(FaultKind::kWriteError, 0.3);
    plan.set_chance(FaultKind::kTornWrite, 0.3);
    std::vector<uint64_t> fates;
    for (uint64_t i = 0; i < 100; ++i) {
      const Fault fault = plan.decide(IoOp::kWrite, *file_, i * kPage, 8 * kPage);
      fates.push_back(static_cast<uint64_t>(fault.kind) << 32 | fault.at);
    }
    return fates;
  };
  EXPECT_EQ(run(7), run(7));
  EXPECT_NE(run(7), run(8));
}

TEST_F(Faults, of_bad_ranges_stay_until_cleared) {
  plan_.add_bad_range("file", 2 * kPage, 1);
  EXPECT_FALSE(read(0, new_));
  EXPECT_FALSE(write(2, new_));
  EXPECT_TRUE(read(3, new_));
  plan_.clear_bad_ranges();
  EXPECT_TRUE(read(0, new_));
}

TEST_F(Faults, bad_sectors_stay_bad) {
  plan_.set_chance(FaultKind::kBadSector, 1);
  EXPECT_FALSE(read(5, zeros_));
  plan_.set_chance(FaultKind::kBadSector, 0);
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(read(5, zeros_));
  EXPECT_TRUE(read(6, zeros_));
}

TEST_F(Faults, flip_exactly_one_bit_of_a_read) {
  ASSERT_TRUE(write(0, new_));
  plan_.set_chance(FaultKind::kReadFlip, 1);
  Buffer back(4 * kPage);
  ASSERT_TRUE(read(0, back));
  int flipped = 0;
  for (size_t i = 0; i < back.size(); ++i) {
    flipped += std::popcount(static_cast<unsigned>(back.data()[i] ^ new_.data()[i]));
  }
  EXPECT_EQ(flipped, 1);
  EXPECT_EQ(stored(0, 4 * kPage), new_);
}

TEST_F(Faults, lose_a_write_silently) {
  plan_.set_chance(FaultKind::kLostWrite, 1);
  ASSERT_TRUE(write(0, new_));
  EXPECT_EQ(stored(0), zeros_);
  EXPECT_EQ(plan_.counts()[FaultKind::kLostWrite], 1u);
}

TEST_F(Faults, tear_a_write_silently) {
  ASSERT_TRUE(write(0, old_));
  plan_.set_chance(FaultKind::kTornWrite, 1);
  bool torn = false;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(write(0, new_));
    const Buffer now = stored(0, 4 * kPage);
    EXPECT_NE(now, new_);
    torn = torn || now != old_;
  }
  EXPECT_TRUE(torn);
}

TEST_F(Faults, misdirect_a_write_to_another_place) {
  plan_.set_chance(FaultKind::kMisdirectedWrite, 1);
  Buffer page(kPage, 3);
  ASSERT_TRUE(write(20, page));
  EXPECT_EQ(stored(20), zeros_);
  int elsewhere = 0;
  for (uint64_t at = 0; at < 64; ++at) elsewhere += stored(at) == page ? 1 : 0;
  EXPECT_EQ(elsewhere, 1);
}

TEST_F(Faults, misdirect_a_read_to_where_another_record_is) {
  Buffer one(kPage, 3), other(kPage, 4), back(kPage);
  ASSERT_TRUE(write(20, one));
  ASSERT_TRUE(write(40, other));
  plan_.set_chance(FaultKind::kMisdirectedRead, 1);
  ASSERT_TRUE(read(20, back));
  EXPECT_EQ(back, other);
}

TEST_F(Faults, a_write_error_may_leave_a_part) {
  ASSERT_TRUE(write(0, old_));
  plan_.set_chance(FaultKind::kWriteError, 1);
  bool part = false;
  for (int i = 0; i < 40; ++i) {
    EXPECT_FALSE(write(0, new_));
    part = part || stored(0, 4 * kPage) != old_;
  }
  EXPECT_TRUE(part);
}

TEST_F(Faults, a_failed_sync_syncs_nothing) {
  ASSERT_TRUE(write(0, new_));
  plan_.set_chance(FaultKind::kSyncError, 1);
  EXPECT_FALSE(perform(request(IoOp::kSync, *file_, 0, {})));
  EXPECT_FALSE(faulty_files_.sync(*file_));
  EXPECT_FALSE(faulty_files_.sync_directory("."));
  EXPECT_GT(disk_.pending_pages(), 0u);
  plan_.set_chance(FaultKind::kSyncError, 0);
  EXPECT_TRUE(perform(request(IoOp::kSync, *file_, 0, {})));
  EXPECT_EQ(disk_.pending_pages(), 0u);
}

TEST_F(Faults, delay_and_stall) {
  FaultRates rates;
  rates.chance[FaultKind::kDelay] = 1;
  rates.delay_min = std::chrono::milliseconds(50);
  rates.delay_max = std::chrono::milliseconds(60);
  plan_.set_rates(rates);
  auto start = executor_.now();
  EXPECT_TRUE(read(0, zeros_));
  EXPECT_GE(executor_.now() - start, rates.delay_min);
  EXPECT_LE(executor_.now() - start, rates.delay_max + std::chrono::milliseconds(1));
  plan_.set_rates({});
  start = executor_.now();
  plan_.stall_until(start + std::chrono::seconds(10));
  EXPECT_TRUE(read(0, zeros_));
  EXPECT_GE(executor_.now() - start, std::chrono::seconds(10));
}

TEST_F(Faults, stop_does_not_wait_for_a_stall) {
  plan_.stall_until(executor_.now() + std::chrono::hours(1));
  const auto start = executor_.now();
  int ended = 0;
  for (int i = 0; i < 10; ++i) {
    IoRequest one =
        request(IoOp::kRead, *file_, 0, {zeros_.span()}, [&](Result<void> r) { ended += r ? 1 : 0; });
    engine_.submit(std::span(&one, 1));
  }
  engine_.stop();
  EXPECT_EQ(ended, 10);
  EXPECT_LT(executor_.now() - start, std::chrono::minutes(1));
}

TEST_F(Faults, of_the_control_plane) {
  for (const auto kind : {FaultKind::kOpenError, FaultKind::kAllocateError, FaultKind::kRemoveError,
                          FaultKind::kListError, FaultKind::kLockError}) {
    plan_.set_chance(kind, 1);
  }
  EXPECT_EQ(faulty_files_.open("file", {}).error().code, Code::kIo);
  EXPECT_EQ(faulty_files_.allocate(*file_, 1).error().code, Code::kIo);
  EXPECT_EQ(faulty_files_.remove("file").error().code, Code::kIo);
  EXPECT_EQ(faulty_files_.list(".").error().code, Code::kIo);
  EXPECT_EQ(faulty_files_.lock("lock").error().code, Code::kIo);
  plan_.set_rates({});
  plan_.set_chance(FaultKind::kAllocateNoSpace, 1);
  EXPECT_EQ(faulty_files_.allocate(*file_, 1).error().code, Code::kNoSpace);
  plan_.set_rates({});
  EXPECT_TRUE(faulty_files_.remove("file"));
}

TEST_F(Faults, meet_control_records_too) {
  plan_.set_chance(FaultKind::kLostWrite, 1);
  ASSERT_TRUE(faulty_files_.write(*file_, 0, new_.span()));
  EXPECT_EQ(stored(0), zeros_);
  plan_.set_rates({});
  plan_.set_chance(FaultKind::kReadFlip, 1);
  Buffer back(kPage);
  ASSERT_TRUE(faulty_files_.read(*file_, 0, back.span()));
  EXPECT_NE(back, zeros_);
}

}  // namespace
}  // namespace terrace::io
