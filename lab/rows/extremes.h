// Row 21: clocks and limits. The wall clock jumps between lives, the process stands still, every size, batch,
// deadline and option stands at, just below and beyond its limit, every table is full. Each call answers as
// documented or with a clear error that changes nothing, and what was stored is found.
#pragma once

#include "lab/rows/rows.h"

namespace terrace::lab {

Findings run_extremes(const RowOptions& options);
// Rounds `first` to `first + count - 1`; each is one case, in turn.
Findings extremes_rounds(uint64_t first, uint64_t count);

}  // namespace terrace::lab
