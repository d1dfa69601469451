#pragma once

#include "lab/rows.h"

namespace terrace::lab {
Findings run_bitrot(const RowOptions& options);
}
