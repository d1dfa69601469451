// Where continuations run. State changes are short critical sections; everything that waits is a task here.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "base/clock.h"

namespace terrace::base {

using Task = std::move_only_function<void()>;
using TimerId = uint64_t;  // 0 is no timer

// A one-shot flag a thread may wait for through Executor::wait.
class Event {
 public:
  bool is_set() const { return set_.load(std::memory_order_acquire); }
  void mark() { set_.store(true, std::memory_order_release); }  // use Executor::signal, which also wakes

 private:
  std::atomic<bool> set_{false};
};

class Executor {
 public:
  virtual ~Executor() = default;

  // Runs `task` later, never inside this call. Any thread. Tasks of one thread run in the order posted.
  virtual void post(Task task) = 0;
  // Runs `task` at `when` or soon after.
  virtual TimerId post_at(TimePoint when, Task task) = 0;
  // True when the timer had not started; its task is destroyed without running.
  virtual bool cancel(TimerId timer) = 0;

  // Sets the event and wakes its waiters.
  virtual void signal(Event& event) = 0;
  // Blocks the calling thread until the event is set (true) or the deadline passed (false). A simulated
  // executor runs tasks meanwhile. Called on the executor's own thread it returns whether the event is set,
  // at once: waiting there could never end.
  virtual bool wait(Event& event, TimePoint deadline) = 0;
};

}  // namespace terrace::base
