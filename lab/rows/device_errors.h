// Row 8: devices that report errors. Everything may fail at a fixed rate, sectors stay bad; and for a while
// every IO fails: the breaker opens within a second and closes within five of the device being well again.
#pragma once

#include "lab/rows/rows.h"
#include "lab/rows/simulation.h"

namespace terrace::lab {

SimulationPlan device_errors_plan(uint64_t seed, uint64_t ops);
Findings run_device_errors(const RowOptions& options);

}  // namespace terrace::lab
