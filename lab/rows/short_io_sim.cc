#include "lab/rows/short_io_sim.h"

#include "lab/rows/tier_watch.h"

namespace terrace::lab {
namespace {

constexpr uint64_t kFullSeeds = 200;
constexpr uint64_t kOps = 5000;
constexpr uint64_t kStormEvery = 8;  // seeds with times in which no call gets through

// No call makes progress: requests end as errors after a bounded number of tries.
void storm(Stage& stage) {
  TierWatch watch(stage, stage.scenario.machine.seed);
  ShortTransfers& how = stage.machine.short_transfers();
  const ShortTransfers before = how;
  stage.findings.count("storms");
  how = {.cut = 0, .interrupted = 0, .again = 1};
  watch.drive(std::chrono::milliseconds(1), std::chrono::milliseconds(300), [] { return false; });
  how = before;
  watch.expect_return();
}

}  // namespace

// The devices are well, so everything the simulation owes without faults is owed here too.
SimulationPlan short_io_plan(uint64_t seed, uint64_t ops) {
  SimulationPlan plan{
      .row = 9, .seed = seed, .ops = ops, .scenario = draw_scenario(seed ^ 0x540), .phase = {}};
  Scenario& scenario = plan.scenario;
  base::Random random(seed ^ 0x5407);
  scenario.errors = scenario.lies = scenario.full_device = false;
  scenario.faults = {};
  scenario.mock_faults = {};
  if (scenario.machine.mock) {
    auto& latency = scenario.machine.mock->tier.latency;
    latency = std::min<base::Duration>(latency, std::chrono::milliseconds(5));
  }
  scenario.machine.short_transfers = {
      .cut = 0.9 * random.unit(), .interrupted = 0.5 * random.unit(), .again = 0.5 * random.unit()};
  if (seed % kStormEvery != 0) return plan;
  scenario.errors = true;
  plan.phase = storm;
  return plan;
}

Findings run_short_io_sim(const RowOptions& options) {
  return run_plans(options, 9, kFullSeeds, kOps, short_io_plan);
}

}  // namespace terrace::lab
