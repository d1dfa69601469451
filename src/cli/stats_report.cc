#include "cli/stats_report.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/bytes.h"

namespace terrace::cli {
namespace {

std::string share_of(uint64_t part, uint64_t whole) {
  if (whole == 0) return "-";
  return fmt::format("{:.1f} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

Json drops_of(const TierStats& tier) {
  Json drops = Json::object();
  for (size_t i = 1; i < std::size(tier.drops); ++i) {
    const auto name = to_string(static_cast<DropCause>(i));
    if (tier.drops[i] > 0 && !name.empty()) drops[std::string(name)] = tier.drops[i];
  }
  return drops;
}

Json tier_document(const TierStats& tier) {
  return Json{{"name", tier.name},
              {"state", tier.state},
              {"engine", tier.engine},
              {"last_error", tier.last_error},
              {"used_bytes", tier.used_bytes},
              {"allocated_bytes", tier.allocated_bytes},
              {"capacity_bytes", tier.capacity_bytes},
              {"blocks", tier.blocks},
              {"loads", tier.loads},
              {"load_bytes", tier.load_bytes},
              {"load_errors", tier.load_errors},
              {"writes", tier.writes},
              {"write_bytes", tier.write_bytes},
              {"write_errors", tier.write_errors},
              {"drops", drops_of(tier)},
              {"evictions", tier.evictions},
              {"evicted_segments", tier.evicted_segments},
              {"verification_failures", tier.verification_failures},
              {"hits", tier.hits},
              {"paths", tier.paths}};
}

}  // namespace

Json stats_document(const StoreStats& stats) {
  Json tiers = Json::array();
  for (const TierStats& tier : stats.tiers) tiers.push_back(tier_document(tier));
  Json misses = Json::object();
  for (size_t i = 1; i < kMissReasons; ++i) {
    misses[std::string(to_string(static_cast<MissReason>(i)))] = stats.misses[i];
  }
  return Json{{"tiers", std::move(tiers)},
              {"page_state", stats.page_state},
              {"keys_asked", stats.keys_asked},
              {"keys_delivered", stats.keys_delivered},
              {"misses", std::move(misses)},
              {"reservations", stats.reservations},
              {"reserved_bytes", stats.reserved_bytes},
              {"leased_blocks", stats.leased_blocks},
              {"writes_in_flight_bytes", stats.writes_in_flight_bytes},
              {"recovering", stats.recovering}};
}

std::string stats_text(const StoreStats& stats) {
  Table usage({"TIER", "STATE", ">BLOCKS", ">USED", ">ALLOCATED", ">CAPACITY", ">ALLOCATED/CAPACITY"});
  for (const TierStats& tier : stats.tiers) {
    usage.add({tier.name, tier.state, fmt::to_string(tier.blocks), base::format_size(tier.used_bytes),
               base::format_size(tier.allocated_bytes), base::format_size(tier.capacity_bytes),
               share_of(tier.allocated_bytes, tier.capacity_bytes)});
  }
  std::string text = usage.text() + "\n";
  for (const TierStats& tier : stats.tiers) {
    if (!tier.engine.empty()) {
      text += fmt::format("{} engine: {}\n", tier.name, tier.engine);
    }
    for (const std::string& path : tier.paths) text += fmt::format("{} path: {}\n", tier.name, path);
    if (!tier.last_error.empty()) text += fmt::format("{} last error: {}\n", tier.name, tier.last_error);
  }
  return text + fmt::format("memory pages: {}\n", stats.page_state);
}

}  // namespace terrace::cli
