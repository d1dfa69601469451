// A store's statistics for people and for programs (X1).
#pragma once

#include <span>
#include <string>

#include <terrace/store.h>

#include "cli/output.h"

namespace terrace::cli {

Json stats_document(const StoreStats& stats);
Json namespaces_document(std::span<const StoredNamespace> namespaces);
std::string stats_text(const StoreStats& stats);
std::string namespaces_text(std::span<const StoredNamespace> namespaces);

}  // namespace terrace::cli
