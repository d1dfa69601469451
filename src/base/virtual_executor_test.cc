#include "base/virtual_executor.h"

#include <chrono>
#include <memory>
#include <set>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace terrace::base {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

TEST(VirtualExecutor, posted_tasks_run_later_and_in_order) {
  VirtualExecutor executor;
  std::vector<int> order;
  executor.post([&] {
    order.push_back(1);
    executor.post([&] { order.push_back(3); });
  });
  executor.post([&] { order.push_back(2); });
  EXPECT_TRUE(order.empty());
  executor.run_ready();
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
  EXPECT_EQ(executor.tasks_run(), 3U);
}

TEST(VirtualExecutor, time_stands_still_while_anything_is_ready_then_jumps_to_the_next_timer) {
  VirtualExecutor executor;
  const TimePoint start = executor.now();
  std::vector<Duration> seen;
  executor.post_at(start + 10s, [&] { seen.push_back(executor.now() - start); });
  executor.post_at(start + 3s, [&] {
    seen.push_back(executor.now() - start);
    executor.post([&] { seen.push_back(executor.now() - start); });
  });
  executor.post([&] { seen.push_back(executor.now() - start); });
  executor.run_until_idle();
  EXPECT_THAT(seen, ElementsAre(0s, 3s, 3s, 10s));
}

TEST(VirtualExecutor, run_for_stops_at_its_time_whatever_waits_behind) {
  VirtualExecutor executor;
  const TimePoint start = executor.now();
  int ran = 0;
  executor.post_at(start + 1s, [&] { ++ran; });
  executor.post_at(start + 2s, [&] { ++ran; });
  executor.run_for(1s);
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(executor.now(), start + 1s);
  executor.run_for(500ms);
  EXPECT_EQ(executor.now(), start + 1500ms);
  executor.run_ready();
  EXPECT_EQ(ran, 1);
}

TEST(VirtualExecutor, a_timer_in_the_past_runs_now) {
  VirtualExecutor executor;
  const TimePoint start = executor.now();
  bool ran = false;
  executor.post_at(start - 1h, [&] { ran = true; });
  executor.run_ready();
  EXPECT_TRUE(ran);
  EXPECT_EQ(executor.now(), start);
}

TEST(VirtualExecutor, a_cancelled_timer_is_destroyed_without_running) {
  VirtualExecutor executor;
  auto held = std::make_shared<int>(1);
  bool ran = false;
  const TimerId timer = executor.post_at(executor.now(), [&ran, held] { ran = true; });
  EXPECT_TRUE(executor.cancel(timer));
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_FALSE(executor.cancel(timer));
  executor.run_until_idle();
  EXPECT_FALSE(ran);
}

TEST(VirtualExecutor, wait_runs_tasks_until_the_event_is_set) {
  VirtualExecutor executor;
  const TimePoint start = executor.now();
  Event event;
  int after_event = 0;
  executor.post_at(start + 2s, [&] {
    executor.signal(event);
    executor.post([&] { ++after_event; });
  });
  EXPECT_TRUE(executor.wait(event, kForever));
  EXPECT_EQ(executor.now(), start + 2s);
  EXPECT_EQ(after_event, 0);
}

TEST(VirtualExecutor, wait_ends_at_its_virtual_deadline) {
  VirtualExecutor executor;
  const TimePoint start = executor.now();
  Event never;
  executor.post_at(start + 1h, [] {});
  EXPECT_FALSE(executor.wait(never, start + 2s));
  EXPECT_EQ(executor.now(), start + 2s);
}

TEST(VirtualExecutor, an_event_set_at_the_deadline_itself_counts) {
  VirtualExecutor executor;
  const TimePoint deadline = executor.now() + 2s;
  Event event;
  executor.post_at(deadline, [&] { executor.signal(event); });
  EXPECT_TRUE(executor.wait(event, deadline));
}

TEST(VirtualExecutor, wait_inside_a_task_returns_at_once) {
  VirtualExecutor executor;
  Event never;
  bool waited = true;
  executor.post([&] { waited = executor.wait(never, kForever); });
  executor.run_ready();
  EXPECT_FALSE(waited);
}

TEST(VirtualExecutorDeathTest, waiting_for_ever_on_nothing_is_a_defect) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  VirtualExecutor executor;
  Event never;
  EXPECT_DEATH(executor.wait(never, kForever), "nothing can end");
}

struct SeededRun {
  std::vector<int> order;
  uint64_t trace = 0;
  friend bool operator==(const SeededRun&, const SeededRun&) = default;
};

SeededRun run_equal_timers(uint64_t seed) {
  VirtualExecutor executor(seed);
  SeededRun run;
  const TimePoint when = executor.now() + 1s;
  for (int i = 0; i < 8; ++i) executor.post_at(when, [&run, i] { run.order.push_back(i); });
  executor.run_until_idle();
  run.trace = executor.trace_hash();
  return run;
}

TEST(VirtualExecutor, the_seed_orders_timers_of_equal_time_and_the_same_seed_repeats_the_run) {
  std::set<std::vector<int>> orders;
  std::set<uint64_t> traces;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const SeededRun run = run_equal_timers(seed);
    EXPECT_EQ(run, run_equal_timers(seed));
    EXPECT_EQ(run.order.size(), 8U);
    orders.insert(run.order);
    traces.insert(run.trace);
  }
  EXPECT_GT(orders.size(), 15U);
  EXPECT_EQ(traces.size(), 20U);
}

TEST(VirtualExecutor, the_seed_chooses_between_due_timers_and_ready_tasks) {
  std::set<std::vector<int>> orders;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    VirtualExecutor executor(seed);
    std::vector<int> order;
    executor.post([&] { order.push_back(1); });
    executor.post([&] { order.push_back(2); });
    executor.post_at(executor.now(), [&] { order.push_back(3); });
    executor.run_ready();
    orders.insert(order);
  }
  EXPECT_THAT(orders, ElementsAre(ElementsAre(1, 2, 3), ElementsAre(1, 3, 2), ElementsAre(3, 1, 2)));
}

TEST(VirtualExecutor, the_trace_tells_order_time_and_observations_apart) {
  const auto trace_of = [](auto body) {
    VirtualExecutor executor(7);
    body(executor);
    executor.run_until_idle();
    return executor.trace_hash();
  };
  const std::set<uint64_t> traces{trace_of([](VirtualExecutor&) {}),
                                  trace_of([](VirtualExecutor& e) { e.post([] {}); }),
                                  trace_of([](VirtualExecutor& e) { e.post_at(e.now() + 1ns, [] {}); }),
                                  trace_of([](VirtualExecutor& e) { e.post_at(e.now() + 2ns, [] {}); }),
                                  trace_of([](VirtualExecutor& e) { e.trace(1); }),
                                  trace_of([](VirtualExecutor& e) { e.trace(2); })};
  EXPECT_EQ(traces.size(), 6U);
}

TEST(VirtualExecutor, what_is_beside_the_tasks_goes_on_before_time_does) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    VirtualExecutor executor(seed);
    const TimePoint begun = executor.now();
    int letters = 0;  // somebody beside reads them, one at a time, and may be waited for
    Event answered;
    executor.run_beside([&] {
      if (letters == 0) return false;
      if (--letters == 0) executor.post([&] { executor.signal(answered); });
      return true;
    });
    executor.post([&] { letters = 3; });
    executor.post_at(begun + 1s, [&] { letters = 1; });
    EXPECT_TRUE(executor.wait(answered, begun + 1ns));
    EXPECT_EQ(executor.now(), begun);
    executor.run_until(begun + 2s);
    EXPECT_EQ(letters, 0);
  }
}

TEST(VirtualExecutor, tasks_left_at_the_end_are_destroyed_and_may_post) {
  auto held = std::make_shared<int>(1);
  {
    VirtualExecutor executor;
    struct PostsAtEnd {
      PostsAtEnd(VirtualExecutor& to, std::shared_ptr<int> thing) : executor(to), held(std::move(thing)) {}
      ~PostsAtEnd() {
        executor.post([kept = held] {});
      }
      VirtualExecutor& executor;
      std::shared_ptr<int> held;
    };
    executor.post([task = std::make_unique<PostsAtEnd>(executor, held)] {});
    executor.post_at(kForever, [task = std::make_unique<PostsAtEnd>(executor, held)] {});
  }
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace terrace::base
