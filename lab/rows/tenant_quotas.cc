#include "lab/rows/tenant_quotas.h"

#include <map>

#include <fmt/format.h>

#include "record/record.h"

namespace terrace::lab {
namespace {

struct Counted {
  uint64_t bytes = 0, blocks = 0;
};

// By tenant and tier.
std::map<std::pair<std::string, size_t>, Counted> recount(const Store& store, size_t tiers) {
  std::map<Key, std::string> tenant_of;
  for (const StoredNamespace& known : store.namespaces()) {
    tenant_of[known.root] = known.fields.tenant_salt.value_or("");
  }
  std::map<std::pair<std::string, size_t>, Counted> counted;
  for (const StoredBlock& block : store.list(std::nullopt, std::nullopt, SIZE_MAX)) {
    for (size_t tier = 0; tier < tiers; ++tier) {
      if ((block.where >> tier & 1) == 0) continue;
      Counted& share = counted[{tenant_of[block.root], tier}];
      share.bytes += record::record_bytes(block.bytes);
      ++share.blocks;
    }
  }
  return counted;
}

}  // namespace

std::string set_a_quota(Store& store, const Catalog& catalog, base::Random& random) {
  const auto& fields = catalog.space(static_cast<uint32_t>(random.below(catalog.spaces())));
  const std::string tenant = fields.tenant_salt ? tenant_name(*fields.tenant_salt) : "";
  const auto draw = [&] { return random.below(1 + catalog.bytes() / catalog.spaces()); };
  TenantQuota quota;
  if (random.one_in(2)) quota.l1 = draw();
  const StoreStats stats = store.stats();
  for (size_t tier = 1; tier < stats.tiers.size(); ++tier) {
    if (random.one_in(2)) quota.tiers[stats.tiers[tier].name] = draw();
  }
  if (random.one_in(8)) quota.reserved = draw();
  if (random.one_in(8)) quota.leased = draw();
  const auto above = store.set_quota(tenant, quota);
  return fmt::format("quota of tenant '{:.8}': L1 {}, {} tiers; {} bytes above", tenant,
                     quota.l1 ? fmt::to_string(*quota.l1) : "-", quota.tiers.size(),
                     above ? fmt::to_string(*above) : "refused");
}

std::vector<std::string> check_tenants(const Store& store) {
  std::vector<std::string> wrong;
  const size_t tiers = store.stats().tiers.size();
  auto counted = recount(store, tiers);
  for (const TenantUsage& usage : store.tenants()) {
    for (size_t tier = 0; tier < tiers; ++tier) {
      const TenantShare& share = usage.tiers[tier];
      const Counted& found = counted[{usage.tenant, tier}];
      if (share.bytes == found.bytes && share.blocks == found.blocks) continue;
      wrong.push_back(fmt::format("tenant '{:.8}' in tier {}: {} blocks of {} bytes counted, {} of {} found",
                                  usage.tenant, tier, share.blocks, share.bytes, found.blocks, found.bytes));
    }
  }
  return wrong;
}

std::vector<std::string> check_quotas(const Store& store, TierMask evicting) {
  std::vector<std::string> wrong;
  for (const TenantUsage& usage : store.tenants()) {
    for (size_t tier = 0; tier < usage.tiers.size(); ++tier) {
      if (usage.tiers[tier].above == 0 || (evicting >> tier & 1) == 0) continue;
      wrong.push_back(fmt::format("tenant '{:.8}' stays {} bytes above its quota in tier {}", usage.tenant,
                                  usage.tiers[tier].above, tier));
    }
    if (usage.reserved_bytes + usage.leased_bytes == 0) continue;
    wrong.push_back(fmt::format("tenant '{:.8}': {} bytes reserved and {} leased by nobody", usage.tenant,
                                usage.reserved_bytes, usage.leased_bytes));
  }
  return wrong;
}

}  // namespace terrace::lab
