// Rows that simulate: a seed is a plan, a job; one that fails is shrunk.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "lab/kit/hook_board.h"
#include "lab/rows/shrink.h"
#include "lab/rows/simulation.h"

namespace terrace::lab {
namespace {

constexpr uint64_t kFullSeeds = 2000;
constexpr uint64_t kOps = 5000;
constexpr uint64_t kReplayEvery = 19;  // seeds run twice; no multiple of the next ones: of every kind some
constexpr uint64_t kQuotasEvery = 5;
constexpr uint64_t kServedEvery = 4, kServedFirst = 2;

std::string replay(int row, uint64_t seed, uint64_t ops, const std::vector<std::string>& without) {
  std::string text = fmt::format("terrace-lab run --row {} --seed {} --count 1 --ops {}", row, seed, ops);
  if (!without.empty()) text += fmt::format(" --without {}", fmt::join(without, ","));
  return text;
}

// Not while a bug is planted: that it was found is all that counts.
void add_replays(const SimulationPlan& plan, const RowOptions& options, Findings& findings) {
  if (findings.clean()) return;
  std::string text = "; replay: " + replay(plan.row, plan.seed, plan.ops, options.without);
  if (!options.verbose && planted().empty()) {
    Shrunk shrunk = shrink(plan);
    shrunk.without.insert(shrunk.without.begin(), options.without.begin(), options.without.end());
    text += "; smallest found: " + replay(plan.row, plan.seed, shrunk.ops, shrunk.without);
  }
  for (auto& failure : findings.failures) failure += text;
}

SimulationPlan plan_of(uint64_t seed, uint64_t ops) {
  SimulationPlan plan{.row = 1, .seed = seed, .ops = ops, .scenario = draw_scenario(seed)};
  plan.scenario.quotas = seed % kQuotasEvery == 2;
  if (seed % kServedEvery == kServedFirst) serve(plan.scenario, seed);
  return plan;
}

}  // namespace

SeedOutcome simulate(uint64_t seed, uint64_t ops, bool verbose) {
  return simulate(plan_of(seed, ops), verbose);
}

Findings run_plans(const RowOptions& options, int row, uint64_t full, uint64_t ops,
                   SimulationPlan (*plan_of)(uint64_t seed, uint64_t ops)) {
  ops = options.ops.value_or(ops);
  WorkerOptions workers = workers_of(options, row);
  workers.count = count_of(options, full);
  workers.processes = options.verbose ? 1 : options.processes;
  workers.replay = [&](uint64_t seed) { return replay(row, seed, ops, options.without); };
  return run_jobs(workers, [&](uint64_t seed) {
    SimulationPlan plan = plan_of(seed, ops);
    Findings refused;
    if (const auto left = leave_out(options.without, plan.scenario); !left) {
      refused.fail(left.error().message);
      return refused;
    }
    SeedOutcome outcome = simulate(plan, options.verbose);
    if (seed % kReplayEvery == 0) {
      outcome.findings.count("replayed");
      if (simulate(plan, false).trace_hash != outcome.trace_hash)
        outcome.findings.fail(fmt::format("seed {}: run twice, two traces", seed));
    }
    add_replays(plan, options, outcome.findings);
    return std::move(outcome.findings);
  });
}

Findings run_simulation(const RowOptions& options) {
  return run_plans(options, 1, kFullSeeds, kOps, plan_of);
}

}  // namespace terrace::lab
