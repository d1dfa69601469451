// At most one event per interval, the others counted: for log lines that a failing device would repeat
// endlessly.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace terrace::base {

// One per site. Any thread, lock-free.
class RateLimit {
 public:
  explicit RateLimit(const Clock& clock, Duration interval = std::chrono::seconds(1))
      : clock_(clock), interval_(interval) {}

  // How many were refused since the last one admitted, when this one is admitted; nothing when it is refused.
  std::optional<uint64_t> admit() {
    const TimePoint now = clock_.now();
    TimePoint next = next_.load(std::memory_order_relaxed);
    if (now >= next && next_.compare_exchange_strong(next, after(now, interval_), std::memory_order_relaxed))
      return suppressed_.exchange(0, std::memory_order_relaxed);
    suppressed_.fetch_add(1, std::memory_order_relaxed);
    return std::nullopt;
  }

 private:
  const Clock& clock_;
  const Duration interval_;
  std::atomic<TimePoint> next_{TimePoint::min()};
  std::atomic<uint64_t> suppressed_{0};
};

}  // namespace terrace::base
