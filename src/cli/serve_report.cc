#include "cli/serve_report.h"

#include <csignal>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/duration.h"
#include "config/fields.h"

namespace terrace::cli {
namespace {

// As the configuration writes it.
template <class Enum>
std::string name_of(Enum value) {
  return std::get<std::string>(config::to_value(value));
}

uint64_t capacity_of(const TierOptions& tier) {
  return tier.kind == TierOptions::Kind::kDisk ? tier.disk.capacity : tier.mock.capacity;
}

std::string text_of(const TierOptions& tier) {
  std::string text = fmt::format("{} ({}", tier.name, base::format_size(capacity_of(tier)));
  if (tier.kind == TierOptions::Kind::kDisk) {
    text += fmt::format(" in {}", fmt::join(tier.disk.paths, ", "));
  }
  return text + ")";
}

std::string signal_name(int signal) {
  return signal == SIGTERM ? "SIGTERM" : "SIGINT";
}

}  // namespace

Json ready_document(const server::ServerOptions& options) {
  const L1Options& l1 = options.store.l1;
  Json tiers = Json::array();
  for (const TierOptions& tier : options.store.tiers) {
    Json document{{"name", tier.name}, {"kind", name_of(tier.kind)}, {"capacity_bytes", capacity_of(tier)}};
    if (tier.kind == TierOptions::Kind::kDisk) document["paths"] = tier.disk.paths;
    tiers.push_back(std::move(document));
  }
  return Json{
      {"event", "ready"},
      {"socket", options.socket},
      {"l1", {{"mode", name_of(l1.mode)}, {"capacity_bytes", l1.mode == L1Mode::kOff ? 0 : l1.budget}}},
      {"tiers", std::move(tiers)}};
}

std::string ready_text(const server::ServerOptions& options) {
  const L1Options& l1 = options.store.l1;
  std::string text = fmt::format("ready: {}, L1 {}", options.socket, name_of(l1.mode));
  if (l1.mode != L1Mode::kOff) text += " " + base::format_size(l1.budget);
  for (const TierOptions& tier : options.store.tiers) text += ", tier " + text_of(tier);
  if (options.store.tiers.empty()) text += ", no tiers";
  return text + "\n";
}

Json stopped_document(const Stop& stop) {
  return Json{{"event", "stopped"},
              {"signal", signal_name(stop.signal)},
              {"seconds", std::chrono::duration<double>(stop.after).count()},
              {"sessions", stop.stats.sessions},
              {"quarantined", stop.stats.quarantined},
              {"leases", stop.stats.leases},
              {"reservations", stop.stats.reservations}};
}

std::string stopped_text(const Stop& stop) {
  return fmt::format("stopped by {} after {}: {}, {} in quarantine, {}, {}\n", signal_name(stop.signal),
                     base::format_duration(stop.after), count_of(stop.stats.sessions, "session"),
                     stop.stats.quarantined, count_of(stop.stats.leases, "lease"),
                     count_of(stop.stats.reservations, "reservation"));
}

}  // namespace terrace::cli
