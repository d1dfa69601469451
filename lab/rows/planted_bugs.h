// Row 24: bugs planted on purpose, to see that the lab finds them. Each is run by the row named for it, in a
// process of its own; the score is how many rows failed.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "lab/kit/report.h"
#include "lab/rows/rows.h"

namespace terrace::lab {

struct PlantedBug {
  std::string_view name;  // of TERRACE_MUTANT
  int row = 1;            // that must fail
  std::string_view what;
  uint64_t seed = 1;   // where the row begins
  uint64_t count = 0;  // of the row; 0: a tenth of it
};
std::span<const PlantedBug> planted_bugs();

Findings run_planted_bugs(const RowOptions& options);

}  // namespace terrace::lab
