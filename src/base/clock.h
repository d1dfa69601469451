// Time, injected: nothing in Terrace reads a clock of its own, so a whole store runs on virtual time.
#pragma once

#include <chrono>

namespace terrace::base {

using Duration = std::chrono::nanoseconds;
// Monotonic. Virtual clocks use the same type.
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

inline constexpr TimePoint kForever = TimePoint::max();

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;  // any thread, never blocks
};

class SteadyClock final : public Clock {
 public:
  TimePoint now() const override { return std::chrono::steady_clock::now(); }
};

// `now + wait`, without overflow for "forever".
inline TimePoint after(TimePoint now, Duration wait) {
  return wait >= kForever - now ? kForever : now + wait;
}

}  // namespace terrace::base
