#pragma once

#include "lab/rows.h"

namespace terrace::lab {
Findings run_misdirection(const RowOptions& options);
}
