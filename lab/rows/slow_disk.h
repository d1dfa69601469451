// Row 11: disks that take 50 ms to 5 s for some requests, and that stall for 10 s. Whoever asks the store is
// answered at the deadline, queues stay within their bounds, the breaker trips and the tier comes back.
#pragma once

#include "lab/rows/rows.h"
#include "lab/rows/simulation.h"

namespace terrace::lab {

SimulationPlan slow_disk_plan(uint64_t seed, uint64_t ops);
Findings run_slow_disk(const RowOptions& options);

}  // namespace terrace::lab
