// A store's statistics for people (X1); report/stats_document.h has them for programs.
#pragma once

#include <span>
#include <string>

#include <terrace/store.h>

namespace terrace::cli {

// Empty when no tenant has a quota.
std::string tenants_text(std::span<const TenantUsage> tenants, const StoreStats& stats);
std::string stats_text(const StoreStats& stats);
std::string namespaces_text(std::span<const StoredNamespace> namespaces);

}  // namespace terrace::cli
