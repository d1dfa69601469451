#include "io/sim/sim_engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "base/virtual_executor.h"
#include "io/scheduler.h"
#include "io/sim/sim_file_system.h"
#include "io/test_support.h"

namespace terrace::io {
namespace {

using test::Buffer;
using test::request;

constexpr uint64_t kPage = 4096;

class SimIo : public testing::Test {
 protected:
  SimIo() { file_ = std::move(*files_.open("file", {.create = true, .direct = true})); }
  void submit(IoEngine& engine, IoRequest one) { engine.submit(std::span(&one, 1)); }

  base::VirtualExecutor executor_;
  SimDisk disk_;
  SimFileSystem files_{disk_};
  SimEngine engine_{disk_, executor_, executor_};
  std::unique_ptr<File> file_;
};

TEST_F(SimIo, writes_syncs_and_reads_in_virtual_time) {
  Buffer header(kPage, 1), payload(8 * kPage, 2), back(9 * kPage);
  int ended = 0;
  const auto done = [&] { return [&](Result<void> result) { ended += result ? 1 : 0; }; };
  submit(engine_, request(IoOp::kWrite, *file_, kPage, {header.span(), payload.span()}, done()));
  EXPECT_EQ(ended, 0);
  const auto start = executor_.now();
  executor_.run_until_idle();
  EXPECT_EQ(ended, 1);
  EXPECT_GE(executor_.now() - start, SimEngineOptions().latency);
  EXPECT_GT(disk_.pending_pages(), 0u);
  submit(engine_, request(IoOp::kSync, *file_, 0, {}, done()));
  submit(engine_, request(IoOp::kRead, *file_, kPage, {back.span()}, done()));
  executor_.run_until_idle();
  EXPECT_EQ(ended, 3);
  EXPECT_EQ(disk_.pending_pages(), 0u);
  EXPECT_TRUE(std::ranges::equal(back.span().first(kPage), header.span()));
  EXPECT_TRUE(std::ranges::equal(back.span().subspan(kPage), payload.span()));
}

TEST_F(SimIo, reads_past_the_end_are_corrupt) {
  Buffer memory(kPage);
  std::optional<Result<void>> ended;
  submit(engine_,
         request(IoOp::kRead, *file_, 0, {memory.span()}, [&](Result<void> result) { ended = result; }));
  executor_.run_until_idle();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->error().code, Code::kCorrupt);
}

TEST_F(SimIo, takes_as_long_as_the_bandwidth_says) {
  std::vector<Buffer> buffers;
  for (uint64_t i = 0; i < 64; ++i) {
    buffers.emplace_back(256 * kPage);
    submit(engine_,
           request(IoOp::kWrite, *file_, i * 256 * kPage, {buffers.back().span()}, [](Result<void>) {}));
  }
  const auto start = executor_.now();
  executor_.run_until_idle();
  EXPECT_NEAR(static_cast<double>((executor_.now() - start).count()), 64 * 256 * kPage / 2.0, 1e6);
}

TEST_F(SimIo, reorders_by_its_seed_and_repeats_itself) {
  const auto run = [&](uint64_t seed) {
    base::VirtualExecutor executor;
    SimEngine engine(disk_, executor, executor, {.seed = seed});
    std::vector<int> order;
    Buffer memory(kPage, 1);
    for (int i = 0; i < 20; ++i) {
      submit(engine, request(IoOp::kWrite, *file_, static_cast<uint64_t>(i) * kPage, {memory.span()},
                             [&order, i](Result<void>) { order.push_back(i); }));
    }
    executor.run_until_idle();
    return order;
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
  EXPECT_FALSE(std::ranges::is_sorted(run(1)));
}

TEST_F(SimIo, stop_lets_time_pass_until_all_is_done) {
  Buffer memory(kPage, 1);
  int ended = 0;
  for (int i = 0; i < 5; ++i) {
    submit(engine_,
           request(IoOp::kWrite, *file_, 0, {memory.span()}, [&](Result<void> r) { ended += r ? 1 : 0; }));
  }
  engine_.stop();
  EXPECT_EQ(ended, 5);
  std::optional<Result<void>> refused;
  submit(engine_, request(IoOp::kRead, *file_, 0, {memory.span()}, [&](Result<void> r) { refused = r; }));
  EXPECT_EQ(refused->error().code, Code::kClosed);
}

TEST_F(SimIo, stop_inside_a_task_ends_everything_at_once) {
  Buffer memory(kPage, 1);
  int ended = 0;
  for (int i = 0; i < 5; ++i) {
    submit(engine_,
           request(IoOp::kWrite, *file_, 0, {memory.span()}, [&](Result<void> r) { ended += r ? 1 : 0; }));
  }
  int ended_in_task = 0;
  executor_.post([&] {
    engine_.stop();
    ended_in_task = ended;
  });
  executor_.run_until_idle();
  EXPECT_EQ(ended_in_task, 5);
  EXPECT_EQ(ended, 5);
}

TEST_F(SimIo, scheduler_goes_when_time_has_ended_its_requests) {
  Buffer memory(kPage, 1);
  int ended = 0;
  {
    IoScheduler scheduler(engine_, {.depth = 2});
    for (int i = 0; i < 20; ++i) {
      scheduler.submit(request(IoOp::kWrite, *file_, 0, {memory.span()}, [&](Result<void>) { ++ended; }));
    }
  }
  EXPECT_EQ(ended, 20);
}

TEST_F(SimIo, a_killed_process_has_its_writes_done_partly_or_not_and_learns_nothing) {
  bool whole = false, none = false, part = false;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SimDisk disk({.seed = seed});
    SimFileSystem files(disk);
    SimEngine engine(disk, executor_, executor_);
    const auto file = files.open("file", {.create = true, .direct = true});
    Buffer memory(4 * kPage, 7), back(4 * kPage), zeros(4 * kPage);
    ASSERT_TRUE(files.allocate(**file, 4 * kPage));
    std::optional<Result<void>> ended;
    submit(engine, request(IoOp::kWrite, **file, 0, {memory.span()}, [&](Result<void> r) { ended = r; }));
    disk.kill();
    executor_.run_until_idle();
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->error().code, Code::kClosed);
    SimFileSystem next_life(disk);
    const auto again = next_life.open("file", {.direct = true});
    ASSERT_TRUE(next_life.read(**again, 0, back.span()));
    (back == memory ? whole : back == zeros ? none : part) = true;
  }
  EXPECT_TRUE(whole && none && part);
}

TEST_F(SimIo, has_no_effect_after_a_crash) {
  const uint64_t empty = disk_.hash();
  base::Random random(1);
  ASSERT_TRUE(files_.sync_directory("."));
  disk_.crash(random);
  Buffer memory(kPage, 1);
  std::optional<Result<void>> ended;
  submit(engine_, request(IoOp::kWrite, *file_, 0, {memory.span()}, [&](Result<void> r) { ended = r; }));
  executor_.run_until_idle();
  EXPECT_EQ(ended->error().code, Code::kClosed);
  EXPECT_EQ(disk_.hash(), empty);
}

}  // namespace
}  // namespace terrace::io
