// A store's statistics for programs (X1): what `terrace stats --json` prints, and the C ABI gives.
#pragma once

#include <optional>
#include <span>

#include <nlohmann/json_fwd.hpp>

#include <terrace/store.h>

namespace terrace::report {

using Json = nlohmann::ordered_json;

Json stats_document(const StoreStats& stats);
Json namespaces_document(std::span<const StoredNamespace> namespaces);
Json tenants_document(std::span<const TenantUsage> tenants, const StoreStats& stats);
// All three in one.
Json store_document(const Store& store);

// Of the tenant in a tier, 0 L1.
std::optional<uint64_t> quota_of(const TenantUsage& usage, size_t tier, const StoreStats& stats);

}  // namespace terrace::report
