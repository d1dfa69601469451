#include "base/thread_executor.h"

#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace terrace::base {
namespace {

using namespace std::chrono_literals;

TimePoint in(Duration duration) {
  return std::chrono::steady_clock::now() + duration;
}

// Everything posted before has run when this returns.
void flush(ThreadExecutor& executor) {
  Event done;
  executor.post([&] { executor.signal(done); });
  ASSERT_TRUE(executor.wait(done, kForever));
}

TEST(ThreadExecutor, tasks_of_one_thread_run_in_the_order_posted_and_elsewhere) {
  ThreadExecutor executor;
  std::vector<int> order;
  std::thread::id runner;
  for (int i = 0; i < 1000; ++i) executor.post([&, i] { order.push_back(i); });
  executor.post([&] { runner = std::this_thread::get_id(); });
  flush(executor);
  ASSERT_EQ(order.size(), 1000U);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
  EXPECT_NE(runner, std::this_thread::get_id());
}

TEST(ThreadExecutor, tasks_of_many_threads_all_run_each_threads_in_order) {
  ThreadExecutor executor;
  constexpr int kThreads = 4, kTasks = 2000;
  std::vector<std::vector<int>> order(kThreads);
  {
    std::vector<std::jthread> posters;
    for (size_t poster = 0; poster < kThreads; ++poster)
      posters.emplace_back([&, poster] {
        for (int i = 0; i < kTasks; ++i) executor.post([&, poster, i] { order[poster].push_back(i); });
      });
  }
  flush(executor);
  for (const auto& of_one : order) {
    ASSERT_EQ(of_one.size(), static_cast<size_t>(kTasks));
    EXPECT_TRUE(std::is_sorted(of_one.begin(), of_one.end()));
  }
}

TEST(ThreadExecutor, a_posted_task_never_runs_inside_the_call_even_on_its_own_thread) {
  ThreadExecutor executor;
  bool inside = false, seen_inside = true;
  executor.post([&] {
    inside = true;
    executor.post([&] { seen_inside = inside; });
    inside = false;
  });
  flush(executor);
  flush(executor);
  EXPECT_FALSE(seen_inside);
}

TEST(ThreadExecutor, timers_run_in_order_of_time_and_not_early) {
  ThreadExecutor executor;
  std::vector<int> order;
  Event done;
  const TimePoint last = in(3ms);
  TimePoint ran_at;
  executor.post_at(last, [&] {
    order.push_back(3);
    ran_at = std::chrono::steady_clock::now();
    executor.signal(done);
  });
  executor.post_at(last - 2ms, [&] { order.push_back(1); });
  executor.post_at(last - 1ms, [&] { order.push_back(2); });
  ASSERT_TRUE(executor.wait(done, kForever));
  EXPECT_EQ(order, (std::vector{1, 2, 3}));
  EXPECT_GE(ran_at, last);
}

TEST(ThreadExecutor, a_cancelled_timer_is_destroyed_without_running) {
  ThreadExecutor executor;
  bool ran = false;
  auto held = std::make_shared<int>(1);
  const TimerId timer = executor.post_at(in(1h), [&ran, held] { ran = true; });
  ASSERT_NE(timer, 0U);
  EXPECT_EQ(held.use_count(), 2);
  EXPECT_TRUE(executor.cancel(timer));
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_FALSE(executor.cancel(timer));
  EXPECT_FALSE(executor.cancel(0));
  executor.stop();
  EXPECT_FALSE(ran);
}

TEST(ThreadExecutor, a_timer_that_ran_cannot_be_cancelled) {
  ThreadExecutor executor;
  Event done;
  const TimerId timer = executor.post_at(TimePoint{}, [&] { executor.signal(done); });
  ASSERT_TRUE(executor.wait(done, kForever));
  EXPECT_FALSE(executor.cancel(timer));
}

TEST(ThreadExecutor, every_timer_either_runs_or_is_cancelled) {
  ThreadExecutor executor;
  std::atomic<int> ran = 0;
  int cancelled = 0;
  for (int i = 0; i < 2000; ++i) {
    const TimerId timer = executor.post_at(std::chrono::steady_clock::now(), [&] { ++ran; });
    if (i % 2 == 0 && executor.cancel(timer)) ++cancelled;
  }
  Event done;
  executor.post_at(in(1ms), [&] { executor.signal(done); });
  ASSERT_TRUE(executor.wait(done, kForever));
  EXPECT_EQ(ran + cancelled, 2000);
}

TEST(ThreadExecutor, wait_ends_at_its_deadline) {
  ThreadExecutor executor;
  Event never;
  EXPECT_FALSE(executor.wait(never, in(1ms)));
  EXPECT_FALSE(executor.wait(never, TimePoint{}));
}

TEST(ThreadExecutor, a_signal_of_any_thread_wakes_every_waiter) {
  ThreadExecutor executor;
  Event event;
  std::atomic<int> woken = 0;
  {
    std::vector<std::jthread> waiters;
    for (int i = 0; i < 3; ++i)
      waiters.emplace_back([&] { woken += executor.wait(event, kForever) ? 1 : 0; });
    executor.signal(event);
  }
  EXPECT_EQ(woken, 3);
  EXPECT_TRUE(executor.wait(event, TimePoint{}));
}

TEST(ThreadExecutor, wait_on_its_own_thread_returns_at_once) {
  ThreadExecutor executor;
  Event never, set;
  set.mark();
  bool first = true, second = false;
  executor.post([&] {
    first = executor.wait(never, kForever);
    second = executor.wait(set, kForever);
  });
  flush(executor);
  EXPECT_FALSE(first);
  EXPECT_TRUE(second);
}

TEST(ThreadExecutor, stop_runs_what_was_posted_and_what_that_posts) {
  ThreadExecutor executor;
  std::atomic<int> ran = 0;
  for (int i = 0; i < 100; ++i)
    executor.post([&] {
      ++ran;
      executor.post([&] { ++ran; });
    });
  executor.stop();
  EXPECT_EQ(ran, 200);
  executor.stop();
}

TEST(ThreadExecutor, after_stop_tasks_and_timers_are_destroyed_without_running) {
  ThreadExecutor executor;
  auto held = std::make_shared<int>(1);
  bool ran = false;
  executor.post_at(in(1h), [&ran, held] { ran = true; });
  executor.stop();
  EXPECT_EQ(held.use_count(), 1);
  executor.post([&ran, held] { ran = true; });
  EXPECT_EQ(executor.post_at(TimePoint{}, [&ran, held] { ran = true; }), 0U);
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_FALSE(ran);
}

TEST(ThreadExecutor, a_task_whose_destructor_posts_is_welcome) {
  struct PostsAtEnd {
    explicit PostsAtEnd(ThreadExecutor& to) : executor(to) {}
    ~PostsAtEnd() {
      executor.post([] {});
    }
    ThreadExecutor& executor;
  };
  ThreadExecutor executor;
  auto in_timer = std::make_unique<PostsAtEnd>(executor);
  auto in_cancelled = std::make_unique<PostsAtEnd>(executor);
  auto in_task = std::make_unique<PostsAtEnd>(executor);
  executor.post_at(in(1h), [held = std::move(in_timer)] {});
  executor.cancel(executor.post_at(in(1h), [held = std::move(in_cancelled)] {}));
  executor.post([held = std::move(in_task)] {});
  executor.stop();
}

TEST(ThreadExecutor, P14_an_idle_executor_uses_no_processor_time) {
  ThreadExecutor executor;
  clockid_t cpu_clock{};
  executor.post([&] { pthread_getcpuclockid(pthread_self(), &cpu_clock); });
  executor.post_at(in(1h), [] {});
  flush(executor);
  const auto cpu = [&] {
    timespec used{};
    clock_gettime(cpu_clock, &used);
    return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
  };
  const auto before = cpu();
  Event never;
  EXPECT_FALSE(executor.wait(never, in(50ms)));
  EXPECT_LT(cpu() - before, 5ms);
}

}  // namespace
}  // namespace terrace::base
