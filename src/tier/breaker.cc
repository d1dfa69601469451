#include "tier/breaker.h"

#include <algorithm>

#include "base/hooks.h"

namespace terrace::tier {

bool Breaker::record(bool ok, base::TimePoint now) {
  if (open_) return false;  // late outcomes of before; only a probe closes it
  if (now - window_start_ > options_.window) {
    window_start_ = now;
    window_ok_ = window_failed_ = 0;
  }
  ++(ok ? window_ok_ : window_failed_);
  in_row_ = ok ? 0 : in_row_ + 1;
  const uint32_t operations = window_ok_ + window_failed_;
  const bool half_failed = operations >= options_.window_operations && 2 * window_failed_ >= operations;
  if (ok || (in_row_ < options_.failures_in_row && !half_failed)) return false;
  TERRACE_PROBE("tier.breaker_opens");
  backoff_ = options_.probe_first;
  trip(now);
  return true;
}

void Breaker::trip(base::TimePoint now) {
  open_ = true;
  probing_ = false;
  next_probe_ = base::after(now, backoff_);
}

base::TimePoint Breaker::probe_at() const {
  return open_ && !probing_ ? next_probe_ : base::kForever;
}

bool Breaker::probe_ended(bool ok, base::TimePoint now) {
  if (!open_) return false;
  probing_ = false;
  if (!ok) {
    TERRACE_PROBE("tier.probe_failed");
    backoff_ = std::min(2 * backoff_, options_.probe_longest);
    trip(now);
    return false;
  }
  open_ = false;
  TERRACE_PROBE("tier.breaker_closes");
  in_row_ = window_ok_ = window_failed_ = 0;
  window_start_ = now;
  return true;
}

}  // namespace terrace::tier
