// Row 12: the memory wall. A process in a control group that allows its budget and 128 MiB more stores and
// evicts for a minute and a half; what it holds resident stays below P7's bound and does not grow.
#pragma once

#include "lab/rows/children.h"
#include "lab/rows/rows.h"

namespace terrace::lab {

RunChild describe_memory_child(CLI::App& command);
Findings run_memory(const RowOptions& options);

}  // namespace terrace::lab
