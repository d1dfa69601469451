// Row 3: kill, white box. As row 2, but the process dies at a crash point of the product (base/hooks.h),
// chosen by name, when it is reached for the nth time: while it formats, writes, syncs, evicts, removes,
// recovers and closes. At times the process that checks is killed too, and another one checks.
#pragma once

#include "lab/rows/rows.h"

namespace terrace::lab {

Findings run_crash_points(const RowOptions& options);
// One job: a point, chosen by the seed, is killed a few times in fresh directories.
Findings crash_point_job(const RowOptions& options, uint64_t seed);

}  // namespace terrace::lab
