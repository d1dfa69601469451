// Figures that several of the store's statistics are made of (X1).
#pragma once

#include <cstddef>
#include <cstdint>

namespace terrace {

inline constexpr size_t kMissReasons = 16;  // values of MissReason

// Keys that gets asked for, and what became of them. One miss is one key asked and not delivered, so the
// misses add up to `asked - delivered`.
struct KeyCounts {
  uint64_t asked = 0, delivered = 0;
  uint64_t misses[kMissReasons] = {};  // by MissReason
};

// How long operations that ended well took, in microseconds. Percentiles come from a histogram of 16 steps a
// power of two: at most 1/16 above the true value.
struct LatencyStats {
  uint64_t count = 0;
  double p50_us = 0, p90_us = 0, p99_us = 0, max_us = 0, mean_us = 0;
};

}  // namespace terrace
