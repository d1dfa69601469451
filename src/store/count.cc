// What is counted for the statistics (X1): what became of each key asked for, and how long tiers took.
#include <algorithm>

#include "base/hooks.h"
#include "store/flow_state.h"
#include "store/storage_manager.h"

namespace terrace::store {

LatencyStats summary(const base::Histogram& histogram) {
  const auto microseconds = [](uint64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1000; };
  LatencyStats stats;
  stats.count = histogram.count();
  if (stats.count == 0) return stats;
  stats.p50_us = microseconds(histogram.percentile(50));
  stats.p90_us = microseconds(histogram.percentile(90));
  stats.p99_us = microseconds(histogram.percentile(99));
  stats.max_us = microseconds(histogram.max());
  stats.mean_us = microseconds(histogram.sum()) / static_cast<double>(stats.count);
  return stats;
}

void StorageManager::count_delivered(BlockId block, uint16_t source) {
  ++(source == kL1 ? l1_counts_ : tier_state(source).counts).hits;
  keys_.add(blocks_[block].name_space, MissReason::kNone);
}

// `asked_of`: the tier whose copy of the first key was tried.
void StorageManager::count_missed(std::span<const Key> keys, std::span<const MissReason> reasons,
                                  uint16_t asked_of) {
  if (keys.empty() || TERRACE_MUTANT("store.miss_without_reason")) return;
  // A block keeps its ancestors known: behind a key the store does not know it knows none.
  BlockId block = blocks_.find(keys[0]);
  for (uint32_t tier = 1; tier < tiers_end() && reasons[0] == MissReason::kTierUnavailable; ++tier) {
    if (asked_of == kNoTier && tier_state(tier).residency->find(block) != kNoResidence)
      asked_of = static_cast<uint16_t>(tier);
  }
  if (asked_of != kNoTier) {
    TierStats& counts = asked_of == kL1 ? l1_counts_ : tier_state(asked_of).counts;
    ++counts.misses[static_cast<size_t>(reasons[0])];
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    if (i > 0 && block != kNoBlock) block = blocks_.find(keys[i]);
    keys_.add(block == kNoBlock ? kNoNamespace : blocks_[block].name_space, reasons[i]);
  }
}

void StorageManager::count_behind_hole(std::span<const Key> keys) {
  Lock lock(mutex_);
  count_missed(keys, std::vector(keys.size(), MissReason::kBehindHole), kNoTier);
}

void StorageManager::took(base::Histogram& histogram, base::TimePoint begun) const {
  histogram.record(clock_.now() - begun);
}

}  // namespace terrace::store
