// terrace stats: what the store of a directory holds and how it does its IO.
#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "cli/arguments.h"
#include "cli/open_store.h"
#include "cli/output.h"

namespace terrace::cli {
namespace {

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

void report_json(const StoreStats& stats) {
  Json tiers = Json::array();
  for (const TierStats& tier : stats.tiers) tiers.push_back(tier_document(tier));
  Json misses = Json::object();
  for (size_t i = 1; i < kMissReasons; ++i) {
    misses[std::string(to_string(static_cast<MissReason>(i)))] = stats.misses[i];
  }
  print_json(Json{{"tiers", std::move(tiers)},
                  {"page_state", stats.page_state},
                  {"keys_asked", stats.keys_asked},
                  {"keys_delivered", stats.keys_delivered},
                  {"misses", std::move(misses)},
                  {"reservations", stats.reservations},
                  {"reserved_bytes", stats.reserved_bytes},
                  {"leased_blocks", stats.leased_blocks},
                  {"writes_in_flight_bytes", stats.writes_in_flight_bytes},
                  {"recovering", stats.recovering}});
}

std::string share_of(uint64_t part, uint64_t whole) {
  if (whole == 0) return "-";
  return fmt::format("{:.1f} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

void report_text(const StoreStats& stats) {
  Table usage({"TIER", "STATE", ">BLOCKS", ">USED", ">ALLOCATED", ">CAPACITY", ">ALLOCATED/CAPACITY"});
  for (const TierStats& tier : stats.tiers) {
    usage.add({tier.name, tier.state, fmt::to_string(tier.blocks), base::format_size(tier.used_bytes),
               base::format_size(tier.allocated_bytes), base::format_size(tier.capacity_bytes),
               share_of(tier.allocated_bytes, tier.capacity_bytes)});
  }
  print(usage.text());
  print("\n");
  for (const TierStats& tier : stats.tiers) {
    if (!tier.engine.empty()) {
      print(fmt::format("{} engine: {}\n", tier.name, tier.engine));
    }
    for (const std::string& path : tier.paths) print(fmt::format("{} path: {}\n", tier.name, path));
    if (!tier.last_error.empty()) print(fmt::format("{} last error: {}\n", tier.name, tier.last_error));
  }
  print(fmt::format("memory pages: {}\n", stats.page_state));
}

Outcome<ExitCode> stats(const StoreArguments& arguments, bool json) {
  auto store = open_store(arguments, {});
  if (!store) return std::unexpected(store.error());
  if (json) {
    report_json((*store)->stats());
  } else {
    report_text((*store)->stats());
  }
  return ExitCode::kOk;
}

}  // namespace

void add_stats(CLI::App& program, Invocation& invocation) {
  CLI::App* command = program.add_subcommand("stats", "show usage by tier and the disk engine in use");
  auto arguments = std::make_shared<StoreArguments>();
  add_directory(*command, arguments->directory);
  add_engine(*command, *arguments, "32MiB");
  add_json(*command, invocation);
  add_examples(*command,
               "  terrace stats /var/cache/kv\n"
               "  terrace stats /var/cache/kv --io psync --json\n");
  command->callback([&invocation, arguments] {
    invocation.run = [&invocation, arguments] { return stats(*arguments, invocation.json); };
  });
}

}  // namespace terrace::cli
