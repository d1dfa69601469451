#include "report/stats_document.h"

#include <nlohmann/json.hpp>

#include "report/descriptor.h"

namespace terrace::report {
namespace {

Json drops_of(const TierStats& tier) {
  Json drops = Json::object();
  for (size_t i = 1; i < std::size(tier.drops); ++i) {
    drops[std::string(to_string(static_cast<DropCause>(i)))] = tier.drops[i];
  }
  return drops;
}

Json misses_of(const uint64_t (&misses)[kMissReasons]) {
  Json document = Json::object();
  for (size_t i = 1; i < kMissReasons; ++i) {
    document[std::string(to_string(static_cast<MissReason>(i)))] = misses[i];
  }
  return document;
}

Json latency_of(const LatencyStats& latency) {
  return Json{{"count", latency.count},   {"mean_us", latency.mean_us}, {"p50_us", latency.p50_us},
              {"p90_us", latency.p90_us}, {"p99_us", latency.p99_us},   {"max_us", latency.max_us}};
}

Json keys_of(const KeyCounts& keys) {
  return Json{{"asked", keys.asked}, {"delivered", keys.delivered}, {"misses", misses_of(keys.misses)}};
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
              {"hits", tier.hits},
              {"misses", misses_of(tier.misses)},
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
              {"read_latency", latency_of(tier.read_latency)},
              {"write_latency", latency_of(tier.write_latency)},
              {"paths", tier.paths}};
}

}  // namespace

Json stats_document(const StoreStats& stats) {
  Json tiers = Json::array();
  for (const TierStats& tier : stats.tiers) tiers.push_back(tier_document(tier));
  return Json{{"tiers", std::move(tiers)},
              {"page_state", stats.page_state},
              {"keys_asked", stats.keys_asked},
              {"keys_delivered", stats.keys_delivered},
              {"misses", misses_of(stats.misses)},
              {"of_no_namespace", keys_of(stats.of_no_namespace)},
              {"reservations", stats.reservations},
              {"reserved_bytes", stats.reserved_bytes},
              {"private_bytes", stats.private_bytes},
              {"leased_blocks", stats.leased_blocks},
              {"writes_in_flight_bytes", stats.writes_in_flight_bytes},
              {"recovering", stats.recovering}};
}

Json namespaces_document(std::span<const StoredNamespace> namespaces) {
  Json document = Json::array();
  for (const StoredNamespace& stored : namespaces) {
    Json entry{{"root", to_hex(stored.root)}, {"known", stored.known}};
    for (const DescriptorField& field : descriptor_fields(stored.fields)) {
      entry[field.name] = field.value ? Json(*field.value) : Json(nullptr);
    }
    entry["blocks"] = stored.blocks;
    entry["bytes"] = stored.bytes;
    entry["keys"] = keys_of(stored.keys);
    document.push_back(std::move(entry));
  }
  return document;
}

namespace {

Json limit(const std::optional<uint64_t>& bytes) {
  return bytes ? Json(*bytes) : Json(nullptr);
}

}  // namespace

std::optional<uint64_t> quota_of(const TenantUsage& usage, size_t tier, const StoreStats& stats) {
  if (tier == 0) return usage.quota.l1;
  const auto named = usage.quota.tiers.find(stats.tiers[tier].name);
  return named == usage.quota.tiers.end() ? std::nullopt : std::optional(named->second);
}

Json tenants_document(std::span<const TenantUsage> tenants, const StoreStats& stats) {
  Json document = Json::array();
  for (const TenantUsage& usage : tenants) {
    Json tiers = Json::array();
    for (size_t i = 0; i < usage.tiers.size(); ++i) {
      const TenantShare& share = usage.tiers[i];
      tiers.push_back(Json{{"name", stats.tiers[i].name},
                           {"bytes", share.bytes},
                           {"blocks", share.blocks},
                           {"quota_bytes", limit(quota_of(usage, i, stats))},
                           {"above_bytes", share.above},
                           {"evictions", share.evictions},
                           {"refusals", share.refusals}});
    }
    document.push_back(Json{{"tenant", usage.tenant},
                            {"tiers", std::move(tiers)},
                            {"reserved_bytes", usage.reserved_bytes},
                            {"reserved_quota_bytes", limit(usage.quota.reserved)},
                            {"leased_bytes", usage.leased_bytes},
                            {"leased_quota_bytes", limit(usage.quota.leased)}});
  }
  return document;
}

Json store_document(const Store& store) {
  const StoreStats stats = store.stats();
  Json document = stats_document(stats);
  document["namespaces"] = namespaces_document(store.namespaces());
  document["tenants"] = tenants_document(store.tenants(), stats);
  return document;
}

}  // namespace terrace::report
