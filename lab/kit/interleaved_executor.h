// The Executor and Clock of stores under the lab's scheduler (kit/interleave.h): tasks run in the order
// posted on a thread of its own, which the scheduler interleaves with the others. Time stands still until
// nothing else can happen and then jumps to the next timer; pass() lets it pass earlier. Made, used and
// destroyed by threads of the scheduler.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <utility>

#include "base/clock.h"
#include "base/executor.h"
#include "base/hooks.h"
#include "base/thread.h"

namespace terrace::lab {

#if defined(TERRACE_HOOKS)

class InterleavedExecutor final : public base::Executor, public base::Clock {
 public:
  InterleavedExecutor();
  ~InterleavedExecutor() override;  // runs what was posted; timers not yet due are destroyed
  InterleavedExecutor(const InterleavedExecutor&) = delete;
  InterleavedExecutor& operator=(const InterleavedExecutor&) = delete;

  base::TimePoint now() const override { return now_; }
  void pass(base::Duration time);
  // Until nothing that was posted or is due is left to run. Not on the executor's thread.
  void settle();

  void post(base::Task task) override;
  base::TimerId post_at(base::TimePoint when, base::Task task) override;
  bool cancel(base::TimerId timer) override;
  void signal(base::Event& event) override;
  bool wait(base::Event& event, base::TimePoint deadline) override;

 private:
  using Timers = std::map<std::pair<base::TimePoint, base::TimerId>, base::Task>;

  void run();
  bool run_one();
  bool timer_due() const { return !timers_.empty() && timers_.begin()->first.first <= now_; }
  void wake();

  // Not guarded: one thread of the scheduler runs at a time, and changes places only where it says so.
  base::hooks::Interleaver& interleaver_;
  base::TimePoint now_;
  std::deque<base::Task> ready_;
  Timers timers_;
  std::map<base::TimerId, base::TimePoint> timer_times_;
  base::TimerId last_timer_ = 0;
  bool stopping_ = false;
  bool idle_ = false;
  std::thread::id thread_id_;
  base::Thread thread_;  // last: it starts when everything above is ready
};

#endif

}  // namespace terrace::lab
