// The half of row 7 that needs a real directory: what stands in place of a store's files, or beside them,
// that is no regular file, or that may not be read.
#pragma once

#include <string>

#include "lab/rows/rows.h"

namespace terrace::lab {

inline constexpr uint64_t kRealGarbageCases = 40;

// In a process of another user than root: root reads what nobody may.
Findings garbage_real_case(const RowOptions& options, uint64_t number, const std::string& replay);
std::string garbage_real_replay(const RowOptions& options, uint64_t number);

}  // namespace terrace::lab
