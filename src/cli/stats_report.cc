// Statistics as text: what the tiers hold, what they did since the store was opened, and how long it took.
#include "cli/stats_report.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/bytes.h"
#include "cli/output.h"
#include "report/stats_document.h"

namespace terrace::cli {
namespace {

std::string share_of(uint64_t part, uint64_t whole) {
  if (whole == 0) return "-";
  return fmt::format("{:.1f} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

std::string time_of(double microseconds) {
  if (microseconds < 1000) return fmt::format("{:.0f} us", microseconds);
  if (microseconds < 1e6) return fmt::format("{:.1f} ms", microseconds / 1e3);
  return fmt::format("{:.2f} s", microseconds / 1e6);
}

template <class Name, size_t kCount>
std::string named(const uint64_t (&counts)[kCount]) {
  std::string text;
  for (size_t i = 1; i < kCount; ++i) {
    if (counts[i] == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", to_string(static_cast<Name>(i)), counts[i]);
  }
  return text;
}

template <size_t kCount>
uint64_t sum(const uint64_t (&counts)[kCount]) {
  uint64_t total = 0;
  for (const uint64_t count : counts) total += count;
  return total;
}

std::string usage_text(const StoreStats& stats) {
  Table table({"TIER", "STATE", ">BLOCKS", ">USED", ">ALLOCATED", ">CAPACITY", ">ALLOCATED/CAPACITY"});
  for (const TierStats& tier : stats.tiers) {
    table.add({tier.name, tier.state, fmt::to_string(tier.blocks), base::format_size(tier.used_bytes),
               base::format_size(tier.allocated_bytes), base::format_size(tier.capacity_bytes),
               share_of(tier.allocated_bytes, tier.capacity_bytes)});
  }
  return table.text();
}

std::string traffic_text(const StoreStats& stats) {
  Table table({"TIER", ">HITS", ">MISSES", ">LOADS", ">LOADED", ">WRITES", ">WRITTEN", ">DROPS", ">EVICTED",
               ">DAMAGED", ">ERRORS"});
  for (const TierStats& tier : stats.tiers) {
    table.add({tier.name, fmt::to_string(tier.hits), fmt::to_string(sum(tier.misses)),
               fmt::to_string(tier.loads), base::format_size(tier.load_bytes), fmt::to_string(tier.writes),
               base::format_size(tier.write_bytes), fmt::to_string(sum(tier.drops)),
               fmt::to_string(tier.evictions), fmt::to_string(tier.verification_failures),
               fmt::to_string(tier.load_errors + tier.write_errors)});
  }
  return table.text();
}

// Of the tiers that did IO; empty when none did.
std::string latency_text(const StoreStats& stats) {
  Table table({"TIER", "IO", ">COUNT", ">P50", ">P99", ">MAX"});
  bool any = false;
  const auto add = [&](const TierStats& tier, const char* what, const LatencyStats& latency) {
    if (latency.count == 0) return;
    any = true;
    table.add({tier.name, what, fmt::to_string(latency.count), time_of(latency.p50_us),
               time_of(latency.p99_us), time_of(latency.max_us)});
  };
  for (const TierStats& tier : stats.tiers) {
    add(tier, "read", tier.read_latency);
    add(tier, "write", tier.write_latency);
  }
  return any ? "\n" + table.text() : "";
}

std::string reasons_text(const StoreStats& stats) {
  const uint64_t missed = stats.keys_asked - stats.keys_delivered;
  std::string text =
      fmt::format("keys: {} asked, {} delivered, {} missed", stats.keys_asked, stats.keys_delivered, missed);
  text += missed > 0 ? fmt::format(" ({})\n", named<MissReason>(stats.misses)) : "\n";
  for (const TierStats& tier : stats.tiers) {
    if (sum(tier.misses) > 0)
      text += fmt::format("{} misses: {}\n", tier.name, named<MissReason>(tier.misses));
    if (sum(tier.drops) > 0) text += fmt::format("{} drops: {}\n", tier.name, named<DropCause>(tier.drops));
  }
  return text;
}

std::string states_text(const StoreStats& stats) {
  std::string text;
  for (const TierStats& tier : stats.tiers) {
    if (!tier.engine.empty()) text += fmt::format("{} engine: {}\n", tier.name, tier.engine);
    for (const std::string& path : tier.paths) text += fmt::format("{} path: {}\n", tier.name, path);
    if (!tier.last_error.empty()) text += fmt::format("{} last error: {}\n", tier.name, tier.last_error);
  }
  return text + fmt::format("memory pages: {}\n", stats.page_state);
}

}  // namespace

std::string stats_text(const StoreStats& stats) {
  return usage_text(stats) + "\n" + states_text(stats) + "\nsince this process opened the store:\n" +
         traffic_text(stats) + latency_text(stats) + "\n" + reasons_text(stats);
}

std::string namespaces_text(std::span<const StoredNamespace> namespaces) {
  if (namespaces.empty()) return "";
  Table table({"MODEL", ">BLOCKS", ">BYTES", ">ASKED", ">DELIVERED", ">MISSED", "ROOT"});
  for (const StoredNamespace& stored : namespaces) {
    table.add({stored.known ? stored.fields.model_id.value_or("-") : "(unknown)",
               fmt::to_string(stored.blocks), base::format_size(stored.bytes),
               fmt::to_string(stored.keys.asked), fmt::to_string(stored.keys.delivered),
               fmt::to_string(stored.keys.asked - stored.keys.delivered), to_hex(stored.root)});
  }
  return "\n" + table.text();
}

std::string tenants_text(std::span<const TenantUsage> tenants, const StoreStats& stats) {
  const auto limited = [](const TenantUsage& usage) { return usage.quota != TenantQuota{}; };
  if (std::ranges::none_of(tenants, limited)) return "";
  const auto size_or_none = [](const std::optional<uint64_t>& bytes) {
    return bytes ? base::format_size(*bytes) : "-";
  };
  Table table({"TENANT", "WHAT", ">BLOCKS", ">USED", ">QUOTA", ">ABOVE", ">EVICTED", ">REFUSED"});
  for (const TenantUsage& usage : tenants) {
    const std::string tenant = usage.tenant.empty() ? "(no salt)" : usage.tenant;
    for (size_t i = 0; i < usage.tiers.size(); ++i) {
      const TenantShare& share = usage.tiers[i];
      table.add({tenant, stats.tiers[i].name, fmt::to_string(share.blocks), base::format_size(share.bytes),
                 size_or_none(report::quota_of(usage, i, stats)), base::format_size(share.above),
                 fmt::to_string(share.evictions), fmt::to_string(share.refusals)});
    }
    const auto add = [&](const char* what, uint64_t bytes, const std::optional<uint64_t>& quota) {
      if (bytes == 0 && !quota) return;
      table.add({tenant, what, "", base::format_size(bytes), size_or_none(quota), "", "", ""});
    };
    add("reserved", usage.reserved_bytes, usage.quota.reserved);
    add("leased", usage.leased_bytes, usage.quota.leased);
  }
  return "\n" + table.text();
}

}  // namespace terrace::cli
