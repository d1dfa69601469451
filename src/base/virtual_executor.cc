#include "base/virtual_executor.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/assert.h"

namespace terrace::base {
namespace {

// Not zero, so that "an hour ago" is a time and zero is never mistaken for one.
constexpr TimePoint kStart{std::chrono::hours(24)};
// More tasks than this at one instant: they post each other and time would never move.
constexpr uint64_t kTasksAtOneTimeMax = 10'000'000;

}  // namespace

VirtualExecutor::VirtualExecutor(uint64_t seed) : random_(seed), now_(kStart), trace_(seed) {}

VirtualExecutor::~VirtualExecutor() {
  closing_ = true;  // destructors of tasks may post; those tasks are dropped
  timer_keys_.clear();
  const auto timers = std::exchange(timers_, {});
  const auto ready = std::exchange(ready_, {});
}

void VirtualExecutor::post(Task task) {
  TERRACE_ASSERT(std::this_thread::get_id() == owner_);
  if (closing_) return;
  ready_.push_back({++last_sequence_, std::move(task)});
}

TimerId VirtualExecutor::post_at(TimePoint when, Task task) {
  TERRACE_ASSERT(std::this_thread::get_id() == owner_);
  if (closing_) return 0;
  const TimerId timer = ++last_sequence_;
  const TimerKey key{std::max(when, now_), random_.next(), timer};
  timer_keys_.emplace(timer, key);
  timers_.emplace(key, std::move(task));
  return timer;
}

bool VirtualExecutor::cancel(TimerId timer) {
  const auto known = timer_keys_.find(timer);
  if (known == timer_keys_.end()) return false;
  const auto cancelled = timers_.extract(known->second);  // destroyed last: its destructor may call us
  timer_keys_.erase(known);
  return true;
}

bool VirtualExecutor::wait(Event& event, TimePoint deadline) {
  if (running_) return event.is_set();
  while (!event.is_set()) {
    if (turn()) continue;  // what is due at the deadline itself still counts
    if (now_ >= deadline) return false;
    const TimePoint next = std::min(next_timer(), deadline);
    TERRACE_ASSERT(next != kForever && "a simulated wait that nothing can end");
    advance(next);
  }
  return true;
}

void VirtualExecutor::run_ready() {
  TERRACE_ASSERT(!running_);
  while (turn()) {
  }
}

void VirtualExecutor::run_until(TimePoint time) {
  TERRACE_ASSERT(!running_);
  run_ready();
  while (next_timer() <= time && next_timer() != kForever) {
    advance(next_timer());
    run_ready();
  }
  advance(std::max(now_, time));
}

void VirtualExecutor::run_until_idle() {
  TERRACE_ASSERT(!running_);
  run_ready();
  while (next_timer() != kForever) {
    advance(next_timer());
    run_ready();
  }
}

void VirtualExecutor::trace(uint64_t value) {
  uint64_t state = trace_ ^ value;
  trace_ = split_mix(state);
}

bool VirtualExecutor::step() {
  const bool due = timer_due();
  if (due && (ready_.empty() || random_.one_in(2))) {
    auto first = timers_.extract(timers_.begin());
    const TimerId timer = std::get<2>(first.key());
    timer_keys_.erase(timer);
    run_one(timer, std::move(first.mapped()));
    return true;
  }
  if (ready_.empty()) return false;
  Ready next = std::move(ready_.front());
  ready_.pop_front();
  run_one(next.sequence, std::move(next.task));
  return true;
}

bool VirtualExecutor::turn() {
  if (beside_ == nullptr) return step();
  const bool first = random_.one_in(4);
  if (first && beside_()) return true;
  return step() || (!first && beside_());
}

void VirtualExecutor::advance(TimePoint time) {
  if (time == now_) return;
  now_ = time;
  tasks_at_this_time_ = 0;
}

void VirtualExecutor::run_one(uint64_t sequence, Task task) {
  TERRACE_ASSERT(++tasks_at_this_time_ <= kTasksAtOneTimeMax);
  ++tasks_run_;
  trace(sequence);
  trace(static_cast<uint64_t>(now_.time_since_epoch().count()));
  running_ = true;
  task();
  task = nullptr;  // what it holds is let go as part of the task
  running_ = false;
}

}  // namespace terrace::base
