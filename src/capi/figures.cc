// Statistics (X1), and quotas of tenants (D2).
#include <cstdlib>
#include <cstring>
#include <new>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "capi/check.h"
#include "capi/handles.h"
#include "report/stats_document.h"

namespace terrace::capi {
namespace {

// For a caller who has free() only.
char* copy_of(const std::string& text) {
  auto* const copy = static_cast<char*>(std::malloc(text.size() + 1));
  if (copy == nullptr) throw std::bad_alloc();
  std::memcpy(copy, text.c_str(), text.size() + 1);
  return copy;
}

std::optional<uint64_t> limit_of(const uint64_t* bytes) {
  return bytes == nullptr ? std::nullopt : std::optional(*bytes);
}

Outcome<TenantQuota> quota_of(const terrace_quota* given) {
  const auto quota = read_sized(given, "quota");
  if (!quota) return std::unexpected(quota.error());
  if (const Answer ok = Check().batch(quota->tiers, quota->tier_count, "quota.tiers"); !ok)
    return std::unexpected(ok.error());
  TenantQuota made{.l1 = limit_of(quota->l1),
                   .tiers = {},
                   .reserved = limit_of(quota->reserved),
                   .leased = limit_of(quota->leased)};
  for (const terrace_tier_quota& tier : std::span(quota->tiers, quota->tier_count)) {
    if (const Answer ok = Check().given(tier.tier, "quota.tiers.tier"); !ok)
      return std::unexpected(ok.error());
    if (!made.tiers.emplace(tier.tier, tier.bytes).second) {
      return failure(Code::kInvalidArgument,
                     fmt::format("quota.tiers names '{}' twice: once is allowed", tier.tier));
    }
  }
  return made;
}

}  // namespace
}  // namespace terrace::capi

using namespace terrace;
using namespace terrace::capi;

extern "C" {

terrace_code terrace_stats(terrace_store* store, char** json, terrace_error* error) {
  return answered(error, [&]() -> Answer {
    if (const Answer ok = Check().given(store, "store").given(json, "json"); !ok) return ok;
    const auto document = report::store_document(*store->store);
    *json = copy_of(document.dump(2, ' ', false, report::Json::error_handler_t::replace));
    return {};
  });
}

void terrace_text_free(char* text) {
  std::free(text);
}

terrace_code terrace_set_quota(terrace_store* store, const char* tenant, const terrace_quota* quota,
                               uint64_t* above, terrace_error* error) {
  return answered(error, [&]() -> Answer {
    const Answer ok = Check().given(store, "store").given(tenant, "tenant").given(quota, "quota");
    if (!ok) return ok;
    if (!is_tenant_name(tenant)) {
      return failure(Code::kInvalidArgument,
                     fmt::format("tenant '{}': the 64 lower-case hexadecimal digits of a salt's SHA-256, or "
                                 "nothing, are allowed",
                                 tenant));
    }
    const auto limits = quota_of(quota);
    if (!limits) return std::unexpected(limits.error());
    const auto left = store->store->set_quota(tenant, *limits);
    if (!left) return refused(left.error());
    if (above != nullptr) *above = *left;
    return {};
  });
}

}  // extern "C"
