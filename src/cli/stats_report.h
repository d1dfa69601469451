// A store's statistics for people and for programs (X1).
#pragma once

#include <optional>
#include <span>
#include <string>

#include <terrace/store.h>

#include "cli/output.h"

namespace terrace::cli {

Json stats_document(const StoreStats& stats);
Json namespaces_document(std::span<const StoredNamespace> namespaces);
// Of the tenant in a tier, 0 L1.
std::optional<uint64_t> quota_of(const TenantUsage& usage, size_t tier, const StoreStats& stats);
Json tenants_document(std::span<const TenantUsage> tenants, const StoreStats& stats);
// Empty when no tenant has a quota.
std::string tenants_text(std::span<const TenantUsage> tenants, const StoreStats& stats);
std::string stats_text(const StoreStats& stats);
std::string namespaces_text(std::span<const StoredNamespace> namespaces);

}  // namespace terrace::cli
