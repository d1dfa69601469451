// The Executor of running systems: one thread, tasks in the order posted, timers, waiters on condition
// variables. An idle executor sleeps in the kernel until the next post, timer or stop; it never polls (P14).
//
// The queue has no bound of its own: refusing a continuation would lose a completion. What bounds it is that
// every poster has a bounded number of operations outstanding, each with a fixed number of tasks. Tasks do
// not throw and do not block: a task that waits delays every other one.
#pragma once

#include <cstddef>
#include <map>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/executor.h"
#include "base/mutex.h"
#include "base/thread.h"

namespace terrace::base {

// Times are those of SteadyClock.
class ThreadExecutor final : public Executor {
 public:
  // `name` is the thread's, cut to 15 characters by the operating system.
  explicit ThreadExecutor(const char* name = "terrace-exec");
  ~ThreadExecutor() override;
  ThreadExecutor(const ThreadExecutor&) = delete;
  ThreadExecutor& operator=(const ThreadExecutor&) = delete;

  // Runs what was posted, and what those tasks post in turn, then ends the thread. Timers not yet due are
  // destroyed without running, and so is everything posted afterwards. Any thread but the executor's own; may
  // be repeated.
  void stop();

  void post(Task task) override;
  TimerId post_at(TimePoint when, Task task) override;  // 0 once stop() began: the task was destroyed
  bool cancel(TimerId timer) override;
  void signal(Event& event) override;
  bool wait(Event& event, TimePoint deadline) override;

 private:
  // Ids grow, so timers of equal time run in the order posted.
  using Timers = std::map<std::pair<TimePoint, TimerId>, Task>;

  void run();
  bool wait_for_work();  // false: stopped, and nothing is left to run
  void run_batch();
  void run_due_timers();

  Mutex mutex_;
  Condition work_;
  std::vector<Task> ready_ TERRACE_GUARDED_BY(mutex_);
  Timers timers_ TERRACE_GUARDED_BY(mutex_);
  std::unordered_map<TimerId, TimePoint> timer_times_ TERRACE_GUARDED_BY(mutex_);
  TimerId last_timer_ TERRACE_GUARDED_BY(mutex_) = 0;
  bool sleeping_ TERRACE_GUARDED_BY(mutex_) = false;
  bool stopping_ TERRACE_GUARDED_BY(mutex_) = false;
  bool drained_ TERRACE_GUARDED_BY(mutex_) = false;

  Mutex waiters_mutex_;  // never held together with mutex_
  Condition signalled_;

  std::vector<Task> batch_;  // the executor's thread only
  Mutex joining_;
  std::thread::id thread_id_;
  Thread thread_;  // last: it starts when everything above is ready
};

}  // namespace terrace::base
