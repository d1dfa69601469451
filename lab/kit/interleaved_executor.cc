#include "lab/kit/interleaved_executor.h"

#include <algorithm>

#if defined(TERRACE_HOOKS)

namespace terrace::lab {
namespace {

constexpr base::TimePoint kStart{std::chrono::hours(24)};  // zero is never mistaken for a time

}  // namespace

InterleavedExecutor::InterleavedExecutor()
    : interleaver_(*base::hooks::interleaver()), now_(kStart), thread_([this] { run(); }) {
  thread_id_ = thread_.id();
}

InterleavedExecutor::~InterleavedExecutor() {
  stopping_ = true;
  wake();
  thread_.join();
}

void InterleavedExecutor::wake() {
  interleaver_.give_free(&ready_);
}

void InterleavedExecutor::pass(base::Duration time) {
  now_ += time;
  wake();
}

void InterleavedExecutor::settle() {
  while (!idle_ || !ready_.empty() || timer_due()) interleaver_.wait_for(&idle_);
}

void InterleavedExecutor::post(base::Task task) {
  idle_ = false;
  ready_.push_back(std::move(task));
  wake();
}

base::TimerId InterleavedExecutor::post_at(base::TimePoint when, base::Task task) {
  if (stopping_) return 0;
  const base::TimerId timer = ++last_timer_;
  timer_times_.emplace(timer, when);
  timers_.emplace(std::pair(when, timer), std::move(task));
  wake();
  return timer;
}

bool InterleavedExecutor::cancel(base::TimerId timer) {
  const auto time = timer_times_.find(timer);
  if (time == timer_times_.end()) return false;
  const auto cancelled = timers_.extract({time->second, timer});  // destroyed last: it may call us
  timer_times_.erase(time);
  return true;
}

void InterleavedExecutor::signal(base::Event& event) {
  event.mark();
  interleaver_.give_free(&event);
}

bool InterleavedExecutor::wait(base::Event& event, base::TimePoint deadline) {
  if (std::this_thread::get_id() == thread_id_) return event.is_set();
  // The event may be gone when the timer is; its address serves as a name only.
  const base::TimerId timer =
      deadline == base::kForever ? 0
                                 : post_at(deadline, [this, what = &event] { interleaver_.give_free(what); });
  while (!event.is_set() && now_ < deadline) interleaver_.wait_for(&event);
  if (timer != 0) cancel(timer);
  return event.is_set();
}

void InterleavedExecutor::run() {
  for (;;) {
    while (run_one()) {
    }
    if (stopping_ && ready_.empty()) break;
    idle_ = true;
    interleaver_.give_free(&idle_);
    if (timers_.empty() || timers_.begin()->first.first == base::kForever) {
      interleaver_.wait_for(&ready_);
    } else if (!interleaver_.wait_for_a_while(&ready_)) {
      now_ = std::max(now_, timers_.begin()->first.first);
    }
    idle_ = false;
  }
  const Timers unfired = std::exchange(timers_, {});
  timer_times_.clear();
}

bool InterleavedExecutor::run_one() {
  base::Task task;
  if (!ready_.empty()) {
    task = std::move(ready_.front());
    ready_.pop_front();
  } else if (timer_due() && !stopping_) {
    const auto first = timers_.extract(timers_.begin());
    timer_times_.erase(first.key().second);
    task = std::move(first.mapped());
  } else {
    return false;
  }
  task();
  return true;
}

}  // namespace terrace::lab

#endif
