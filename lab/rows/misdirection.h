// Row 6: misdirection and previous lives. Writes and reads land elsewhere, old records stand in reused slots,
// records are planted inside values, files of other stores and of other times are put in place; no get
// answers wrong.
#pragma once

#include "lab/rows/rows.h"

namespace terrace::lab {

Findings run_misdirection(const RowOptions& options);
// Cases `first` to `first + count - 1`, on the specimens of `first`.
Findings misdirection_cases(uint64_t first, uint64_t count);

}  // namespace terrace::lab
