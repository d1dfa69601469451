// Row 25: rare lines of the product are tagged with TERRACE_PROBE; the whole run must have been on each of
// them.
#pragma once

#include "lab/kit/report.h"
#include "lab/rows/rows.h"

namespace terrace::lab {

// Of what the rows before it reached; lists what they did not.
Findings run_code_probes(const RowOptions& options);

}  // namespace terrace::lab
