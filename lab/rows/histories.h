// Row 16: concurrent clients on a few hot keys of a real store; a checker explains every hit.
#pragma once

#include "lab/rows/rows.h"

namespace terrace::lab {

// One store of `seed` under four threads; `operations` over all of them.
Findings concurrent_histories(const RowOptions& options, uint64_t seed, uint64_t operations);

Findings run_histories(const RowOptions& options);

}  // namespace terrace::lab
