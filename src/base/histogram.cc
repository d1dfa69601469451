#include "base/histogram.h"

#include <algorithm>
#include <cmath>

namespace terrace::base {

static_assert(Histogram::bucket_of(~uint64_t{0}) == Histogram::kBuckets - 1);
static_assert(Histogram::bucket_max(Histogram::kBuckets - 1) == ~uint64_t{0});

void Histogram::record(uint64_t value) {
  counts_[bucket_of(value)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
  uint64_t seen = max_.load(std::memory_order_relaxed);
  while (value > seen && !max_.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
  }
}

uint64_t Histogram::count() const {
  uint64_t total = 0;
  for (const auto& bucket : counts_) total += bucket.load(std::memory_order_relaxed);
  return total;
}

uint64_t Histogram::percentile(double percent) const {
  const uint64_t total = count();
  if (total == 0) return 0;
  const double share = std::clamp(percent, 0.0, 100.0) / 100.0;
  const auto wanted =
      std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(share * static_cast<double>(total))));
  uint64_t below = 0;
  for (size_t index = 0; index < kBuckets; ++index) {
    below += bucket_count(index);
    if (below >= wanted) return std::min(bucket_max(index), max());
  }
  return max();
}

}  // namespace terrace::base
