// Row 1: the whole store on virtual time, one seed a run: sizes, L1, disk, faults and crashes all follow from
// it, and the same seed gives the same run.
#pragma once

#include <cstdint>

#include "lab/report.h"
#include "lab/rows.h"

namespace terrace::lab {

struct SeedOutcome {
  Findings findings;
  uint64_t trace_hash = 0;
};
SeedOutcome simulate(uint64_t seed, uint64_t ops, bool verbose);

Findings run_simulation(const RowOptions& options);

}  // namespace terrace::lab
