// A store's statistics for people and for programs.
#pragma once

#include <string>

#include <terrace/store.h>

#include "cli/output.h"

namespace terrace::cli {

Json stats_document(const StoreStats& stats);
std::string stats_text(const StoreStats& stats);

}  // namespace terrace::cli
