// The Executor and Clock of simulations: one thread, virtual time, every choice drawn from a seed, so that
// the same seed gives the same run (compare trace_hash()).
//
// Posted tasks run first in, first out, as Executor promises for one thread. Between the oldest ready task
// and the timers that are due the seed chooses, and timers of equal time run in an order the seed draws. Time
// stands still while anything is ready and then jumps to the next timer. Used by the thread that made it, no
// other.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <thread>
#include <tuple>
#include <unordered_map>

#include "base/clock.h"
#include "base/executor.h"
#include "base/random.h"

namespace terrace::base {

class VirtualExecutor final : public Executor, public Clock {
 public:
  explicit VirtualExecutor(uint64_t seed = 1);
  ~VirtualExecutor() override;
  VirtualExecutor(const VirtualExecutor&) = delete;
  VirtualExecutor& operator=(const VirtualExecutor&) = delete;

  TimePoint now() const override { return now_; }

  void post(Task task) override;
  TimerId post_at(TimePoint when, Task task) override;
  bool cancel(TimerId timer) override;
  void signal(Event& event) override { event.mark(); }
  // Runs tasks, and lets time pass, until the event is set or `deadline` is reached. Called inside a task it
  // returns at once, as on any executor's own thread. Waiting for ever with nothing left to run is a defect:
  // it asserts.
  bool wait(Event& event, TimePoint deadline) override;

  // What is simulated beside the tasks, as sockets and who reads them: called while no task runs, now and
  // then and always before time moves. True when it did something; it may post, and wait. Empty: nothing.
  void run_beside(std::function<bool()> beside) { beside_ = std::move(beside); }

  // What is ready or due now; time stands still.
  void run_ready();
  // Everything up to `time`, which is then the present.
  void run_until(TimePoint time);
  void run_for(Duration duration) { run_until(after(now_, duration)); }
  // The whole process stands still: time passes, and nothing runs before it goes on.
  void stall(Duration duration) { advance(after(now_, duration)); }
  // Everything, timers included, until none is left. Not for systems with periodic timers.
  void run_until_idle();

  // A digest of what ran, in which order and at which time.
  uint64_t trace_hash() const { return trace_; }
  // Adds an observation to the digest: a result, a checksum of bytes.
  void trace(uint64_t value);
  uint64_t tasks_run() const { return tasks_run_; }

 private:
  // The second member is drawn: it orders timers of equal time.
  using TimerKey = std::tuple<TimePoint, uint64_t, TimerId>;
  struct Ready {
    uint64_t sequence;
    Task task;
  };

  bool timer_due() const { return !timers_.empty() && std::get<0>(timers_.begin()->first) <= now_; }
  TimePoint next_timer() const { return timers_.empty() ? kForever : std::get<0>(timers_.begin()->first); }
  bool step();                   // runs one task; false: nothing is ready or due
  bool turn();                   // a step, or what is beside
  void advance(TimePoint time);  // the present becomes `time`
  void run_one(uint64_t sequence, Task task);

  Random random_;
  TimePoint now_;
  std::deque<Ready> ready_;
  std::map<TimerKey, Task> timers_;
  std::unordered_map<TimerId, TimerKey> timer_keys_;
  std::function<bool()> beside_;
  uint64_t last_sequence_ = 0;  // of tasks and timers together; a TimerId is one
  uint64_t tasks_run_ = 0;
  uint64_t tasks_at_this_time_ = 0;
  uint64_t trace_ = 0;
  bool running_ = false;
  bool closing_ = false;
  std::thread::id owner_ = std::this_thread::get_id();
};

}  // namespace terrace::base
