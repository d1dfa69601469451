// A histogram of non-negative values, usually nanoseconds: 16 equal steps per power of two, so a reported
// value is at most 1/16 above the true one. Fixed size (about 8 KiB), any thread, lock-free.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace terrace::base {

class Histogram {
 public:
  static constexpr size_t kSteps = 16;
  static constexpr size_t kBuckets = 61 * kSteps;  // 0..15 one by one, then 16 for each power 2^4 .. 2^63

  void record(uint64_t value);
  // Negative durations count as zero.
  void record(Duration duration) {
    record(duration > Duration::zero() ? static_cast<uint64_t>(duration.count()) : uint64_t{0});
  }

  // Readings are taken bucket by bucket while others record: each value is there or not, totals may lag by a
  // few.
  uint64_t count() const;
  uint64_t sum() const { return sum_.load(std::memory_order_relaxed); }
  uint64_t max() const { return max_.load(std::memory_order_relaxed); }
  // The smallest bucket bound that `percent` (0 to 100) of the values do not exceed; 0 when empty.
  uint64_t percentile(double percent) const;

  uint64_t bucket_count(size_t index) const { return counts_[index].load(std::memory_order_relaxed); }
  static constexpr size_t bucket_of(uint64_t value) {
    if (value < kSteps) return static_cast<size_t>(value);
    const auto power = static_cast<size_t>(std::bit_width(value)) - 5;  // of two, above 2^4
    return (power + 1) * kSteps + static_cast<size_t>((value >> power) & (kSteps - 1));
  }
  // The largest value of a bucket.
  static constexpr uint64_t bucket_max(size_t index) {
    if (index < kSteps) return index;
    const size_t power = index / kSteps - 1;
    return ((kSteps + index % kSteps) << power) + ((uint64_t{1} << power) - 1);
  }

 private:
  std::array<std::atomic<uint64_t>, kBuckets> counts_{};
  std::atomic<uint64_t> sum_{0};
  std::atomic<uint64_t> max_{0};
};

}  // namespace terrace::base
