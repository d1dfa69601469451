#include "lab/rows/store_checks.h"

#include <algorithm>

#include <fmt/format.h>

#include "record/record.h"

namespace terrace::lab {

std::vector<std::string> check_sums(const StoreStats& stats, uint64_t writes_in_flight_most, bool surplus) {
  std::vector<std::string> wrong;
  uint64_t misses = 0;
  for (const uint64_t count : stats.misses) misses += count;
  if (misses != stats.keys_asked - stats.keys_delivered) {
    wrong.push_back(
        fmt::format("{} asked, {} delivered, {} misses", stats.keys_asked, stats.keys_delivered, misses));
  }
  for (const TierStats& tier : stats.tiers) {
    const bool over = tier.capacity_bytes > 0 && !surplus &&
                      std::max(tier.used_bytes, tier.allocated_bytes) > tier.capacity_bytes;
    if (over) {
      wrong.push_back(fmt::format("{}: {} used, {} allocated of {}", tier.name, tier.used_bytes,
                                  tier.allocated_bytes, tier.capacity_bytes));
    }
  }
  if (writes_in_flight_most > 0 && stats.writes_in_flight_bytes > writes_in_flight_most) {
    wrong.push_back(fmt::format("{} bytes on their way to tiers, {} allowed", stats.writes_in_flight_bytes,
                                writes_in_flight_most));
  }
  return wrong;
}

uint64_t held(const StoreStats& stats) {
  return stats.reservations + stats.reserved_bytes + stats.leased_blocks + stats.private_bytes +
         stats.writes_in_flight_bytes;
}

std::optional<std::string> check_nothing_is_held(const StoreStats& stats) {
  if (held(stats) == 0) return std::nullopt;
  return fmt::format("{} reservations, {} bytes reserved, {} leases, {} private bytes, {} bytes in flight",
                     stats.reservations, stats.reserved_bytes, stats.leased_blocks, stats.private_bytes,
                     stats.writes_in_flight_bytes);
}

std::optional<std::string> check_slots(const Store& store, uint16_t tier) {
  uint64_t records = 0;
  for (const StoredBlock& block : store.list({}, {}, SIZE_MAX)) {
    if ((block.where >> tier & 1) != 0) records += record::record_bytes(block.bytes);
  }
  const uint64_t used = store.stats().tiers[tier].used_bytes;
  if (used == records) return std::nullopt;
  return fmt::format("the disk's slots hold {} bytes of {} in use", records, used);
}

}  // namespace terrace::lab
