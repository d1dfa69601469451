#include "io/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <string>
#include <thread>

#include "io/posix_file_system.h"
#include "io/psync_engine.h"
#include "io/test_support.h"

namespace terrace::io {
namespace {

using testing::ElementsAre;

constexpr uint64_t kKiB = 1024, kMiB = 1024 * kKiB;

class NoFile final : public File {
 public:
  NoFile() : File("none", -1, false, 1) {}
};

// Holds what it is given until the test ends it.
class ManualEngine final : public IoEngine {
 public:
  void submit(std::span<IoRequest> batch) override {
    for (IoRequest& one : batch) {
      if (refuse_at_once) {
        IoDone done = std::move(one.done);
        done(fail(Code::kClosed, "stopped"));
      } else {
        held.push_back(std::move(one));
      }
    }
    most = std::max(most, held.size());
  }
  IoEngineInfo info() const override { return {"manual", "", depth}; }
  void stop() override {}

  void end(size_t index = 0, Result<void> result = {}) {
    IoRequest one = std::move(held[index]);
    held.erase(held.begin() + static_cast<std::ptrdiff_t>(index));
    one.done(result);
  }
  void end_all() {
    while (!held.empty()) end();
  }
  size_t count(IoClass io_class) const {
    return static_cast<size_t>(std::ranges::count(held, io_class, &IoRequest::io_class));
  }

  uint32_t depth = 32;
  bool refuse_at_once = false;
  size_t most = 0;
  std::deque<IoRequest> held;
};

class Scheduler : public testing::Test {
 protected:
  IoRequest make(IoClass io_class, uint64_t bytes, std::string name = "") {
    IoRequest one;
    one.op = io_class <= IoClass::kPrefetch ? IoOp::kRead : IoOp::kWrite;
    one.io_class = io_class;
    one.file = &file_;
    one.vec[0].bytes = bytes;
    one.done = [this, name = std::move(name)](Result<void> result) {
      log_.push_back(name + (result ? "" : ":" + std::string(to_string(result.error().code))));
    };
    return one;
  }
  std::vector<IoClass> order_of_service(IoScheduler& scheduler) {
    std::vector<IoClass> order;
    while (!engine_.held.empty()) {
      order.push_back(engine_.held.front().io_class);
      engine_.end();
    }
    EXPECT_EQ(scheduler.stats().in_flight, 0u);
    return order;
  }

  NoFile file_;
  ManualEngine engine_;
  std::vector<std::string> log_;
};

TEST_F(Scheduler, serves_classes_in_order) {
  IoScheduler scheduler(engine_, {.depth = 1});
  scheduler.submit(make(IoClass::kLoad, 4 * kKiB));
  for (const auto io_class : {IoClass::kBackground, IoClass::kWrite, IoClass::kPrefetch, IoClass::kLoad}) {
    scheduler.submit(make(io_class, 64 * kKiB));
  }
  EXPECT_THAT(order_of_service(scheduler), ElementsAre(IoClass::kLoad, IoClass::kLoad, IoClass::kPrefetch,
                                                       IoClass::kWrite, IoClass::kBackground));
}

TEST_F(Scheduler, never_passes_the_depth_of_device_or_engine) {
  {
    IoScheduler scheduler(engine_, {.depth = 3});
    for (int i = 0; i < 20; ++i) scheduler.submit(make(IoClass::kLoad, 4 * kKiB));
    engine_.end_all();
    EXPECT_EQ(engine_.most, 3u);
  }
  engine_.depth = 2;
  engine_.most = 0;
  IoScheduler scheduler(engine_, {.depth = 3});
  for (int i = 0; i < 20; ++i) scheduler.submit(make(IoClass::kLoad, 4 * kKiB));
  engine_.end_all();
  EXPECT_EQ(engine_.most, 2u);
}

TEST_F(Scheduler, bounds_bytes_at_the_device_but_lets_one_large_request_pass) {
  IoScheduler scheduler(engine_, {.load_bytes = kMiB, .write_bytes = kMiB});
  for (int i = 0; i < 3; ++i) scheduler.submit(make(IoClass::kLoad, 600 * kKiB));
  EXPECT_EQ(engine_.held.size(), 1u);
  engine_.end_all();
  scheduler.submit(make(IoClass::kLoad, 5 * kMiB));
  EXPECT_EQ(engine_.held.size(), 1u);
  engine_.end_all();
  for (int i = 0; i < 3; ++i) scheduler.submit(make(IoClass::kWrite, 600 * kKiB));
  EXPECT_EQ(engine_.held.size(), 1u);
  engine_.end_all();
}

TEST_F(Scheduler, gives_writes_the_whole_depth_when_there_are_no_loads) {
  IoScheduler scheduler(engine_, {.depth = 8});
  for (int i = 0; i < 20; ++i) scheduler.submit(make(IoClass::kWrite, 64 * kKiB));
  EXPECT_EQ(engine_.held.size(), 8u);
  engine_.end_all();
}

TEST_F(Scheduler, paces_writes_by_the_bytes_of_loads) {
  IoScheduler scheduler(engine_, {.depth = 4, .writes_beside_loads = 2, .load_bytes_per_write_byte = 4});
  for (int i = 0; i < 401; ++i) scheduler.submit(make(IoClass::kLoad, 64 * kKiB));
  for (int i = 0; i < 200; ++i) scheduler.submit(make(IoClass::kWrite, 64 * kKiB));
  size_t writes_ended = 0;
  for (size_t loads_ended = 0; loads_ended < 400;) {
    EXPECT_LE(engine_.count(IoClass::kWrite), 2u);
    if (engine_.held.front().io_class == IoClass::kWrite) {
      ++writes_ended;
    } else {
      ++loads_ended;
    }
    engine_.end();
  }
  EXPECT_NEAR(static_cast<double>(writes_ended), 100, 3);
  engine_.end_all();
  EXPECT_EQ(scheduler.stats().bytes[static_cast<size_t>(IoClass::kWrite)], 200 * 64 * kKiB);
}

TEST_F(Scheduler, lets_a_write_larger_than_the_credit_end_beside_loads) {
  IoScheduler scheduler(engine_, {.depth = 4, .write_bytes = kMiB});
  scheduler.submit(make(IoClass::kLoad, kMiB));
  scheduler.submit(make(IoClass::kWrite, 16 * kMiB, "write"));
  for (int i = 0; i < 10 && log_.size() < 100; ++i) {
    scheduler.submit(make(IoClass::kLoad, kMiB));
    engine_.end();
  }
  EXPECT_THAT(log_, testing::Contains("write"));
  engine_.end_all();
}

TEST_F(Scheduler, does_not_save_up_credit_for_a_burst) {
  IoScheduler scheduler(engine_, {.depth = 32, .write_bytes = kMiB, .writes_beside_loads = 32});
  for (int i = 0; i < 1000; ++i) {
    scheduler.submit(make(IoClass::kLoad, kMiB));
    engine_.end_all();
  }
  scheduler.submit(make(IoClass::kLoad, kMiB));
  for (int i = 0; i < 10; ++i) scheduler.submit(make(IoClass::kWrite, 256 * kKiB));
  EXPECT_EQ(engine_.count(IoClass::kWrite), 4u);
  for (int i = 0; i < 4; ++i) engine_.end(1);
  EXPECT_EQ(engine_.count(IoClass::kWrite), 0u);
  engine_.end_all();
}

TEST_F(Scheduler, starves_no_class) {
  IoScheduler scheduler(engine_, {.depth = 2});
  for (int i = 0; i < 4; ++i) scheduler.submit(make(IoClass::kLoad, 64 * kKiB, "load"));
  for (int i = 0; i < 4; ++i) scheduler.submit(make(IoClass::kWrite, 64 * kKiB, "write"));
  scheduler.submit(make(IoClass::kPrefetch, 64 * kKiB, "prefetch"));
  scheduler.submit(make(IoClass::kBackground, 64 * kKiB, "background"));
  for (int i = 0; i < 400; ++i) {  // loads and writes never run out
    scheduler.submit(make(IoClass::kLoad, 64 * kKiB, "load"));
    if (i % 4 == 0) scheduler.submit(make(IoClass::kWrite, 64 * kKiB, "write"));
    engine_.end();
  }
  EXPECT_THAT(log_, testing::Contains("prefetch"));
  EXPECT_THAT(log_, testing::Contains("background"));
  const auto prefetch = std::ranges::find(log_, "prefetch");
  EXPECT_LE(std::count(log_.begin(), prefetch, "load"), kTurns + 4);
  const auto background = std::ranges::find(log_, "background");
  EXPECT_LE(std::count(log_.begin(), background, "write"), kTurns + 4);
  engine_.end_all();
}

TEST_F(Scheduler, starts_the_next_request_before_it_calls_done) {
  IoScheduler scheduler(engine_, {.depth = 1});
  size_t held_in_done = 0;
  IoRequest first = make(IoClass::kLoad, 4 * kKiB);
  first.done = [&](Result<void>) { held_in_done = engine_.held.size(); };
  scheduler.submit(std::move(first));
  scheduler.submit(make(IoClass::kLoad, 4 * kKiB));
  engine_.end();
  EXPECT_EQ(held_in_done, 1u);
  engine_.end_all();
}

TEST_F(Scheduler, refuses_what_passes_its_bound) {
  IoScheduler scheduler(engine_, {.depth = 1, .queued_max = 2});
  scheduler.submit(make(IoClass::kLoad, 4 * kKiB, "a"));
  std::vector<IoRequest> batch;
  for (const char* name : {"b", "c", "d"}) batch.push_back(make(IoClass::kWrite, 4 * kKiB, name));
  const IoTicket first = scheduler.submit(batch);
  EXPECT_THAT(log_, ElementsAre("d:" + std::string(to_string(Code::kNoRoom))));
  EXPECT_FALSE(scheduler.cancel(first + 2));
  engine_.end_all();
  EXPECT_EQ(log_.size(), 4u);
  EXPECT_EQ(scheduler.stats().refused, 1u);
}

TEST_F(Scheduler, cancels_what_still_waits) {
  IoScheduler scheduler(engine_, {.depth = 1});
  const IoTicket running = scheduler.submit(make(IoClass::kLoad, 4 * kKiB, "a"));
  std::vector<IoRequest> batch;
  for (const char* name : {"b", "c", "d"}) batch.push_back(make(IoClass::kLoad, 4 * kKiB, name));
  const IoTicket first = scheduler.submit(batch);
  EXPECT_FALSE(scheduler.cancel(running));
  EXPECT_TRUE(scheduler.cancel(first + 1));
  EXPECT_FALSE(scheduler.cancel(first + 1));
  EXPECT_FALSE(scheduler.cancel(999));
  engine_.end_all();
  EXPECT_THAT(log_, ElementsAre("c:" + std::string(to_string(Code::kCancelled)), "a", "b", "d"));
  EXPECT_EQ(scheduler.stats().cancelled, 1u);
  EXPECT_EQ(scheduler.stats().requests[0], 3u);
}

TEST_F(Scheduler, is_not_filled_by_cancelled_requests) {
  IoScheduler scheduler(engine_, {.depth = 1, .queued_max = 100});
  scheduler.submit(make(IoClass::kLoad, 4 * kKiB));
  for (int i = 0; i < 1000; ++i)
    EXPECT_TRUE(scheduler.cancel(scheduler.submit(make(IoClass::kLoad, 4 * kKiB))));
  EXPECT_EQ(scheduler.stats().refused, 0u);
  EXPECT_EQ(scheduler.stats().queued[0], 0u);
  engine_.end_all();
}

TEST_F(Scheduler, counts_requests_bytes_and_errors_exactly) {
  IoScheduler scheduler(engine_, {});
  scheduler.submit(make(IoClass::kLoad, 4 * kKiB));
  scheduler.submit(make(IoClass::kLoad, 8 * kKiB));
  scheduler.submit(make(IoClass::kBackground, 16 * kKiB));
  EXPECT_EQ(scheduler.stats().in_flight, 2u);
  EXPECT_EQ(scheduler.stats().queued[3], 1u);
  engine_.end(0, fail(Code::kIo, "no"));
  engine_.end_all();
  const SchedulerStats stats = scheduler.stats();
  EXPECT_THAT(stats.requests, ElementsAre(2, 0, 0, 1));
  EXPECT_THAT(stats.bytes, ElementsAre(8 * kKiB, 0, 0, 16 * kKiB));
  EXPECT_THAT(stats.errors, ElementsAre(1, 0, 0, 0));
  EXPECT_THAT(stats.queued, ElementsAre(0, 0, 0, 0));
  EXPECT_EQ(stats.in_flight, 0u);
}

TEST_F(Scheduler, takes_requests_from_inside_done) {
  IoScheduler scheduler(engine_, {.depth = 1});
  int left = 10;
  std::function<void()> again = [&] {
    IoRequest next = make(IoClass::kLoad, 4 * kKiB);
    next.done = [&](Result<void>) {
      if (--left > 0) again();
    };
    scheduler.submit(std::move(next));
  };
  again();
  engine_.end_all();
  EXPECT_EQ(left, 0);
}

TEST_F(Scheduler, survives_an_engine_that_refuses_a_full_queue_inside_submit) {
  IoScheduler scheduler(engine_, {.depth = 1});
  scheduler.submit(make(IoClass::kLoad, 4 * kKiB));
  for (int i = 0; i < 60000; ++i) scheduler.submit(make(IoClass::kLoad, 4 * kKiB));
  engine_.refuse_at_once = true;
  engine_.end();
  EXPECT_EQ(log_.size(), 60001u);
}

TEST(SchedulerOnThreads, ends_everything_before_it_goes) {
  test::TempDirectory directory;
  PosixFileSystem files;
  const auto engine = make_psync_engine({.depth = 4});
  ASSERT_TRUE(engine);
  const auto file = files.open(directory / "file", {.create = true});
  test::Buffer memory(4096, 1);
  std::atomic<int> ended = 0;
  {
    IoScheduler scheduler(**engine, {.depth = 4, .queued_max = 1000});
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&, thread] {
        for (int i = 0; i < 250; ++i) {
          IoRequest one = test::request(thread % 2 == 0 ? IoOp::kWrite : IoOp::kSync, **file, 0, {});
          if (one.op == IoOp::kWrite) one.vec[0] = {memory.data(), memory.size()};
          one.io_class = static_cast<IoClass>(thread);
          one.done = [&](Result<void>) { ++ended; };
          const IoTicket ticket = scheduler.submit(std::move(one));
          if (i % 7 == 0) scheduler.cancel(ticket);
        }
      });
    }
    for (auto& thread : threads) thread.join();
  }
  EXPECT_EQ(ended, 1000);
}

}  // namespace
}  // namespace terrace::io
