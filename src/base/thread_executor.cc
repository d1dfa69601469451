#include "base/thread_executor.h"

#include <chrono>
#include <string>

#include <pthread.h>

#include "base/assert.h"

namespace terrace::base {

ThreadExecutor::ThreadExecutor(const char* name) : thread_([this] { run(); }) {
  thread_id_ = thread_.id();  // tasks read it, but none can be posted before this constructor returns
  pthread_setname_np(thread_.native_handle(), std::string(name).substr(0, 15).c_str());
}

ThreadExecutor::~ThreadExecutor() {
  stop();
}

void ThreadExecutor::stop() {
  TERRACE_ASSERT(std::this_thread::get_id() != thread_id_);
  {
    Lock lock(mutex_);
    stopping_ = true;
    work_.notify_one();
  }
  Lock lock(joining_);  // whoever comes second waits, too
  thread_.join();
}

// Conditions are notified under their mutex: whoever learns of the effect may destroy the executor next.
void ThreadExecutor::post(Task task) {
  Lock lock(mutex_);
  if (drained_) return;  // `task` outlives `lock`: its destructor may post
  ready_.push_back(std::move(task));
  if (sleeping_) work_.notify_one();
}

TimerId ThreadExecutor::post_at(TimePoint when, Task task) {
  Lock lock(mutex_);
  if (stopping_) return 0;
  const TimerId timer = ++last_timer_;
  const auto time = timer_times_.emplace(timer, when).first;
  Timers::iterator at;
  try {
    at = timers_.emplace(std::pair(when, timer), std::move(task)).first;
  } catch (...) {
    timer_times_.erase(time);
    throw;
  }
  if (sleeping_ && at == timers_.begin()) work_.notify_one();
  return timer;
}

bool ThreadExecutor::cancel(TimerId timer) {
  Task cancelled;  // destroyed after the lock is let go
  Lock lock(mutex_);
  const auto time = timer_times_.find(timer);
  if (time == timer_times_.end()) return false;
  cancelled = std::move(timers_.extract({time->second, timer}).mapped());
  timer_times_.erase(time);
  return true;
}

void ThreadExecutor::signal(Event& event) {
  Lock lock(waiters_mutex_);
  event.mark();
  signalled_.notify_all();
}

bool ThreadExecutor::wait(Event& event, TimePoint deadline) {
  if (std::this_thread::get_id() == thread_id_) return event.is_set();
  Lock lock(waiters_mutex_);
  while (!event.is_set()) {
    if (deadline == kForever) {
      signalled_.wait(waiters_mutex_);
    } else if (!signalled_.wait_until(waiters_mutex_, deadline)) {
      return event.is_set();
    }
  }
  return true;
}

void ThreadExecutor::run() {
  while (wait_for_work()) {
    run_batch();
    run_due_timers();
  }
  Timers unfired;  // destroyed here, without the lock: destructors may post or cancel
  Lock lock(mutex_);
  timer_times_.clear();
  unfired.swap(timers_);
}

bool ThreadExecutor::wait_for_work() {
  Lock lock(mutex_);
  for (;;) {
    if (!ready_.empty()) {
      batch_.swap(ready_);
      return true;
    }
    if (stopping_) {
      drained_ = true;
      return false;
    }
    if (!timers_.empty() && timers_.begin()->first.first <= std::chrono::steady_clock::now()) return true;
    sleeping_ = true;
    if (timers_.empty() || timers_.begin()->first.first == kForever) {
      work_.wait(mutex_);
    } else {
      // A copy: a cancel during the wait frees the timer.
      const TimePoint next = timers_.begin()->first.first;
      work_.wait_until(mutex_, next);
    }
    sleeping_ = false;
  }
}

void ThreadExecutor::run_batch() {
  for (Task& task : batch_) {
    task();
    task = nullptr;  // what it holds is let go before the next one runs
  }
  batch_.clear();
}

// One at a time, so that a timer can be cancelled until it starts; those that come due meanwhile wait for the
// tasks posted before them.
void ThreadExecutor::run_due_timers() {
  const TimePoint now = std::chrono::steady_clock::now();
  for (;;) {
    Task task;
    {
      Lock lock(mutex_);
      if (stopping_ || timers_.empty() || timers_.begin()->first.first > now) return;
      const auto first = timers_.extract(timers_.begin());
      timer_times_.erase(first.key().second);
      task = std::move(first.mapped());
    }
    task();
  }
}

}  // namespace terrace::base
