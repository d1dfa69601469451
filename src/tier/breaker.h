// T2: opens after 8 failures in a row or half of at least 32 operations within a second; probes with doubling
// back-off close it. Not thread-safe; the owner's mutex guards it.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace terrace::tier {

struct BreakerOptions {
  uint32_t failures_in_row = 8;
  uint32_t window_operations = 32;
  base::Duration window = std::chrono::seconds(1);
  base::Duration probe_first = std::chrono::milliseconds(100);
  base::Duration probe_longest = std::chrono::seconds(4);
};

class Breaker {
 public:
  explicit Breaker(BreakerOptions options = {}) : options_(options) {}

  // The outcome of one operation. Returns true when the breaker changed state.
  bool record(bool ok, base::TimePoint now);
  bool open() const { return open_; }
  // When the next probe is due; kForever while closed or while a probe runs.
  base::TimePoint probe_at() const;
  void probe_started() { probing_ = true; }
  // Returns true when the probe closed the breaker.
  bool probe_ended(bool ok, base::TimePoint now);

 private:
  void trip(base::TimePoint now);

  BreakerOptions options_;
  bool open_ = false;
  bool probing_ = false;
  uint32_t in_row_ = 0;
  uint32_t window_ok_ = 0, window_failed_ = 0;
  base::TimePoint window_start_{};
  base::TimePoint next_probe_{};
  base::Duration backoff_{};
};

}  // namespace terrace::tier
