// A failing seed made small: without what it does not need, and with few operations, so that it can be read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <terrace/error.h>

#include "lab/rows/simulation.h"

namespace terrace::lab {

// Takes parts of the scenario away, by name. kInvalidArgument: a part that is not known; it names all.
Outcome<void> leave_out(const std::vector<std::string>& parts, Scenario& scenario);
// "clients, lives, ...".
std::string parts_of_scenario();

struct Shrunk {
  uint64_t ops = 0;
  std::vector<std::string> without;
  uint64_t runs = 0;  // that it took
};
// The plan fails. What is still needed of it to fail, though not in the same way.
Shrunk shrink(const SimulationPlan& plan);

}  // namespace terrace::lab
