// Row 23: wear. What reaches the device against what was admitted, on the simulated disk and, as the kernel
// counts it, on a real one; and a write budget under steps of load and of the budget itself.
#pragma once

#include "lab/rows/rows.h"

namespace terrace::lab {

Findings run_wear(const RowOptions& options);
Findings wear_case(const RowOptions& options, uint64_t number);

}  // namespace terrace::lab
