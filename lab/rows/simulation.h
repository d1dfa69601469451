// Row 1: the whole store on virtual time, one seed a run: sizes, L1, disk, faults and crashes all follow from
// it, and the same seed gives the same run.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "lab/kit/client.h"
#include "lab/kit/report.h"
#include "lab/rows/rows.h"
#include "lab/rows/scenario.h"

namespace terrace::lab {

// Where a life of the simulation stands when the phase of a row begins: halfway through its operations.
struct Stage {
  const Scenario& scenario;
  const Catalog& catalog;
  Machine& machine;
  Client& client;
  Findings& findings;
  std::function<void(bool bad)> set_weather;  // the scenario's faults, or none
  std::function<void(uint64_t count)> work;   // so many operations of the workload, and time between them
  std::function<void(const std::string& what)> fail;
};

// One seed of a row that simulates.
struct SimulationPlan {
  int row = 1;
  uint64_t seed = 1;
  uint64_t ops = 0;
  Scenario scenario;
  std::function<void(Stage& stage)> phase{};  // in every life; may be empty
};

struct SeedOutcome {
  Findings findings;
  uint64_t trace_hash = 0;
};
SeedOutcome simulate(const SimulationPlan& plan, bool verbose);
// Row 1's.
SeedOutcome simulate(uint64_t seed, uint64_t ops, bool verbose);

// A row of `full` seeds of `ops` operations, each with a plan of its own; some run twice and leave the same
// trace.
Findings run_plans(const RowOptions& options, int row, uint64_t full, uint64_t ops,
                   SimulationPlan (*plan_of)(uint64_t seed, uint64_t ops));

Findings run_simulation(const RowOptions& options);

}  // namespace terrace::lab
