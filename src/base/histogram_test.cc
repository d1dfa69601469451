#include "base/histogram.h"

#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"

namespace terrace::base {
namespace {

TEST(Histogram, buckets_cover_every_value_without_gap) {
  uint64_t next = 0;
  for (size_t index = 0; index < Histogram::kBuckets; ++index) {
    EXPECT_EQ(Histogram::bucket_of(next), index);
    EXPECT_EQ(Histogram::bucket_of(Histogram::bucket_max(index)), index);
    next = Histogram::bucket_max(index) + 1;
  }
  EXPECT_EQ(next, 0U);  // wrapped: the last bucket ends at 2^64 - 1
}

TEST(Histogram, percentiles_are_at_most_a_sixteenth_too_high) {
  Histogram histogram;
  for (uint64_t value = 1; value <= 100'000; ++value) histogram.record(value);
  EXPECT_EQ(histogram.count(), 100'000U);
  EXPECT_EQ(histogram.sum(), 5'000'050'000U);
  EXPECT_EQ(histogram.max(), 100'000U);
  for (const double percent : {1.0, 50.0, 90.0, 99.0, 99.9}) {
    const auto exact = static_cast<uint64_t>(percent * 1000);
    EXPECT_GE(histogram.percentile(percent), exact);
    EXPECT_LE(histogram.percentile(percent), exact + exact / 16);
  }
  EXPECT_EQ(histogram.percentile(100), 100'000U);
  EXPECT_EQ(histogram.percentile(0), 1U);
}

TEST(Histogram, is_empty_at_first_and_counts_negative_durations_as_zero) {
  Histogram histogram;
  EXPECT_EQ(histogram.percentile(50), 0U);
  histogram.record(Duration(-5));
  histogram.record(Duration(7));
  EXPECT_EQ(histogram.bucket_count(0), 1U);
  EXPECT_EQ(histogram.percentile(100), 7U);
}

TEST(Histogram, counts_from_many_threads_are_exact) {
  Histogram histogram;
  {
    std::vector<std::jthread> threads;
    for (uint64_t seed = 0; seed < 4; ++seed)
      threads.emplace_back([&histogram, seed] {
        Random random(seed);
        for (int i = 0; i < 10'000; ++i) histogram.record(random.below(1 << 20));
      });
  }
  EXPECT_EQ(histogram.count(), 40'000U);
}

}  // namespace
}  // namespace terrace::base
