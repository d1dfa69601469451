// Row 15, the part that needs no sanitizer: the same work twice, in memory that begins with different bytes,
// leaves the same files. What is never written in memory never reaches a disk.
#pragma once

#include "lab/kit/report.h"
#include "lab/rows/children.h"
#include "lab/rows/rows.h"

namespace terrace::lab {

// The child's side: `terrace-lab prefill-child` (children.h).
RunChild describe_prefill_child(CLI::App& command);

Findings run_prefill(const RowOptions& options);

}  // namespace terrace::lab
