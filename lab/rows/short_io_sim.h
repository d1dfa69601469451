// Row 9 on virtual time: transfers come in pieces, calls are interrupted or told to try again, and nobody
// above the engine notices.
#pragma once

#include "lab/rows/rows.h"
#include "lab/rows/simulation.h"

namespace terrace::lab {

SimulationPlan short_io_plan(uint64_t seed, uint64_t ops);
Findings run_short_io_sim(const RowOptions& options);

}  // namespace terrace::lab
