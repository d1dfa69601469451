#include <terrace/options.h>

#include <terrace/key.h>

#include <set>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "base/bytes.h"
#include "policy/admission.h"
#include "policy/eviction.h"
#include "policy/store.h"
#include "record/record.h"
#include "store/types.h"

namespace terrace {

namespace {

std::unexpected<Failure> bad(std::string message) {
  return failure(Code::kInvalidArgument, std::move(message));
}

Outcome<void> check_watermarks(std::string_view where, double low, double high) {
  if (low > 0 && low <= high && high <= 1) return {};
  return bad(
      fmt::format("{}.low_watermark {} and high_watermark {}: 0 < low <= high <= 1", where, low, high));
}

template <class Policy>
Outcome<void> check_policy(std::string_view where, std::string_view key,
                           const Outcome<std::unique_ptr<Policy>>& made) {
  if (made) return {};
  return bad(fmt::format("{}.{}: {}", where, key, made.error().message));
}

uint64_t machine_memory() {
  return static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

Outcome<void> check_l1(const L1Options& l1) {
  constexpr uint64_t kLeast = 4 * base::kMiB;
  if (l1.budget < kLeast || l1.budget > machine_memory()) {
    return bad(fmt::format("l1.budget {}: between {} and this machine's memory, {}",
                           base::format_size(l1.budget), base::format_size(kLeast),
                           base::format_size(machine_memory())));
  }
  if (l1.largest_block > record::kPayloadBytesMax) {
    return bad(fmt::format("l1.largest_block {}: at most {}", base::format_size(l1.largest_block),
                           base::format_size(record::kPayloadBytesMax)));
  }
  if (l1.largest_block > 0 && l1.budget / 2 < record::record_bytes(l1.largest_block)) {
    return bad(fmt::format("l1.budget {}: it must hold two of the largest blocks (l1.largest_block {})",
                           base::format_size(l1.budget), base::format_size(l1.largest_block)));
  }
  if (auto ok = check_watermarks("l1", l1.low_watermark, l1.high_watermark); !ok) return ok;
  return check_policy("l1", "eviction", policy::make_eviction_policy(l1.eviction));
}

Outcome<void> check_tier(const TierOptions& tier) {
  const bool disk = tier.kind == TierOptions::Kind::kDisk;
  const std::string where = fmt::format("tier \"{}\"", tier.name);
  if (tier.name.empty()) return bad("a tier needs a name");
  if (disk && tier.disk.paths.empty()) return bad(where + ": disk.paths names at least one directory");
  if (auto ok = check_watermarks(where, tier.low_watermark, tier.high_watermark); !ok) return ok;
  auto ok = check_policy(where, "store_policy", policy::make_store_policy(tier.store_policy));
  if (ok) ok = check_policy(where, "admission", policy::make_admission_policy(tier.admission));
  if (ok) ok = check_policy(where, "eviction", policy::make_eviction_policy(tier.eviction));
  return ok;
}

Outcome<void> check_quotas(const std::vector<TenantOptions>& quotas,
                           const std::set<std::string_view>& tiers) {
  std::set<std::string_view> tenants;
  for (const auto& [tenant, quota] : quotas) {
    if (!is_tenant_name(tenant)) {
      return bad(
          fmt::format("quotas: tenant \"{}\": the SHA-256 of its salt, 64 digits of 0-9 and a-f, or "
                      "empty for the one without a salt",
                      tenant));
    }
    if (!tenants.insert(tenant).second) return bad(fmt::format("quotas: tenant \"{}\" twice", tenant));
    for (const auto& [name, bytes] : quota.tiers) {
      if (!tiers.contains(name)) return bad(fmt::format("quotas: there is no tier \"{}\"", name));
    }
  }
  return {};
}

bool stores_without_l1(std::string_view policy) {
  return policy::stores_without_l1(**policy::make_store_policy(policy));
}

// M5: modes and store policies that contradict each other.
Outcome<void> check_mode(const L1Options& l1, const std::vector<TierOptions>& tiers) {
  if (l1.mode == L1Mode::kCache) return {};
  for (const TierOptions& tier : tiers) {
    if (stores_without_l1(tier.store_policy)) continue;
    auto allowed = policy::store_policy_names();
    std::erase_if(allowed, [](std::string_view name) { return !stores_without_l1(name); });
    return bad(fmt::format(
        "tier \"{}\".store_policy {} with l1.mode {}: a block would be lost; allowed there "
        "are {}",
        tier.name, tier.store_policy, l1.mode == L1Mode::kOff ? "off" : "staging", fmt::join(allowed, ", ")));
  }
  return {};
}

}  // namespace

Outcome<void> StoreOptions::validate() const {
  if (auto ok = check_l1(l1); !ok) return ok;
  if (tiers.size() >= store::kTiersMax) {
    return bad(fmt::format("{} tiers: at most {}", tiers.size(), store::kTiersMax - 1));
  }
  std::set<std::string_view> names;
  for (const TierOptions& tier : tiers) {
    if (auto ok = check_tier(tier); !ok) return ok;
    if (!names.insert(tier.name).second) return bad(fmt::format("two tiers are named \"{}\"", tier.name));
  }
  if (auto ok = check_quotas(quotas, names); !ok) return ok;
  if (auto ok = check_mode(l1, tiers); !ok) return ok;
  if (l1.mode == L1Mode::kOff && region_loads == RegionLoads::kBounced) {
    return bad(
        "region_loads bounced with l1.mode off: there is no L1 to load through; direct is allowed there");
  }
  if (get_timeout < Timeout::zero()) return bad("get_timeout is not negative");
  if (operation_timeout <= Timeout::zero()) return bad("operation_timeout is positive");
  if (lookup_timeout < Timeout::zero()) return bad("lookup_timeout is not negative");
  if (negative_presence < Timeout::zero()) return bad("negative_presence is not negative");
  if (prefetch_hold < Timeout::zero()) return bad("prefetch_hold is not negative");
  return {};
}

std::vector<std::string> StoreOptions::warnings() const {
  std::vector<std::string> lines;
  if (l1.mode == L1Mode::kCache && l1.eviction == "noop") {
    lines.emplace_back("l1.mode cache with l1.eviction noop: once L1 is full nothing more is stored");
  }
  if (l1.mode != L1Mode::kCache && tiers.empty()) {
    lines.emplace_back("l1.mode staging or off without tiers: nothing is kept");
  }
  return lines;
}

}  // namespace terrace
