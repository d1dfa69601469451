// Row 20: an idle store costs nothing, and opening and closing one leaves nothing behind.
#pragma once

#include "lab/rows/children.h"
#include "lab/rows/rows.h"

namespace terrace::lab {

RunChild describe_idle_child(CLI::App& command);
Findings run_idle(const RowOptions& options);

}  // namespace terrace::lab
