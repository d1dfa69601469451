// Row 4: a small store is recorded, and every disk that a power cut may leave of it is opened and checked:
// all sequences of up to three steps at every event of the last one, longer ones at random.
#pragma once

#include "lab/rows/rows.h"

namespace terrace::lab {

// Workloads first .. first + count - 1.
Findings power_cut_workloads(uint64_t first, uint64_t count);
Findings run_power_cut(const RowOptions& options);

}  // namespace terrace::lab
