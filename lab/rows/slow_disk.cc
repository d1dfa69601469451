#include "lab/rows/slow_disk.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "base/bytes.h"
#include "lab/rows/tier_watch.h"

namespace terrace::lab {
namespace {

constexpr uint64_t kFullSeeds = 200;
constexpr uint64_t kOps = 5000;
constexpr base::Duration kStall = std::chrono::seconds(10);
constexpr base::Duration kStep = std::chrono::milliseconds(10);
constexpr uint64_t kStuckEnough = 64;  // requests of a path that pass their deadline in the stall
constexpr Timeout kLatestGet = std::chrono::milliseconds(20);  // after its deadline

uint64_t waiting(const io::SchedulerStats& stats) {
  return std::accumulate(stats.queued.begin(), stats.queued.end(), stats.in_flight);
}

uint64_t store_bound(const StoreOptions& store) {
  constexpr uint64_t kMost = 256 * base::kMiB;
  if (store.store_bytes_in_flight != 0) return store.store_bytes_in_flight;
  return store.l1.mode == L1Mode::kOff ? kMost : std::min(kMost, store.l1.budget / 2);
}

// P6: nothing waits without bound.
void check_queues(Stage& stage) {
  const StoreStats stats = stage.machine.store().stats();
  const StoreOptions& store = stage.machine.options().store;
  if (stats.writes_in_flight_bytes > store_bound(store)) {
    stage.fail(
        fmt::format("{} bytes of stores wait, {} may", stats.writes_in_flight_bytes, store_bound(store)));
  }
  if (stats.tiers[0].allocated_bytes > store.l1.budget) {
    stage.fail(fmt::format("L1 holds {} bytes of {}", stats.tiers[0].allocated_bytes, store.l1.budget));
  }
  const io::SchedulerOptions bounds;
  for (const io::SchedulerStats& path : stage.machine.io_stats()) {
    stage.findings.count("max_waiting", waiting(path));
    if (path.in_flight > bounds.depth || waiting(path) - path.in_flight > bounds.queued_max) {
      stage.fail(fmt::format("{} requests at the device, {} wait", path.in_flight, waiting(path)));
    }
  }
}

uint64_t dropped(Stage& stage) {
  const TierStats disk = stage.machine.store().stats().tiers[stage.machine.disk_tier()];
  return disk.drops[static_cast<size_t>(DropCause::kBacklog)] +
         disk.drops[static_cast<size_t>(DropCause::kUnavailable)];
}

void stall(Stage& stage) {
  TierWatch watch(stage, stage.scenario.machine.seed + stage.findings.counted("stalls"));
  auto& time = stage.machine.time();
  stage.set_weather(false);
  time.run_until(std::max(time.now(), stage.machine.faults().stalled_until()) + kStall);
  watch.expect_return();  // from what was slow so far

  // Something to store while the disk stands still.
  Operation clear;
  clear.kind = OpKind::kClear;
  if (stage.scenario.removes) stage.client.run(clear);
  stage.findings.count("stalls");
  const uint64_t dropped_before = dropped(stage);
  const base::TimePoint begun = time.now(), end = begun + kStall;
  stage.machine.faults().stall_until(end);
  uint64_t stuck = 0;  // requests that wait since the stall's first half
  bool tripped = false, others_asked = false;
  watch.drive(kStep, kStall - 2 * kStep, [&] {
    check_queues(stage);
    tripped = tripped || watch.open_paths() > 0;
    if (time.now() - begun < std::chrono::seconds(4)) {
      stuck = 0;
      for (const auto& path : stage.machine.io_stats()) stuck += waiting(path);
    }
    if (watch.open_paths() == watch.paths() && !others_asked) {
      others_asked = true;
      watch.expect_others_answer();
    }
    return time.now() >= end - kStep;
  });
  if (tripped) stage.findings.count("breaker_tripped");
  if (!tripped && time.now() >= end - kStep && stuck >= kStuckEnough * watch.paths()) {
    stage.fail(fmt::format("{} requests are stuck for more than 5 s and no breaker is open", stuck));
  }
  stage.findings.count("stall_drops", dropped(stage) - dropped_before);
  watch.expect_return();
  stage.set_weather(true);
}

}  // namespace

SimulationPlan slow_disk_plan(uint64_t seed, uint64_t ops) {
  SimulationPlan plan{
      .row = 11, .seed = seed, .ops = ops, .scenario = draw_scenario(seed ^ 0x510), .phase = stall};
  Scenario& scenario = plan.scenario;
  base::Random random(seed ^ 0x510D15C);
  scenario.errors = true;
  scenario.lies = scenario.full_device = false;
  scenario.fair_one_in = 0;
  scenario.faults = {};
  scenario.faults.chance[io::FaultKind::kDelay] = 0.001 * std::exp2(random.unit() * std::log2(100));
  scenario.faults.delay_min = std::chrono::milliseconds(50);
  scenario.faults.delay_max = std::chrono::seconds(5);
  scenario.mock_faults = {};
  return plan;
}

Findings run_slow_disk(const RowOptions& options) {
  Findings findings = run_plans(options, 11, kFullSeeds, kOps, slow_disk_plan);
  for (const char* figure : {"at_deadline", "breaker_tripped", "stall_drops"}) {
    if (!options.count && findings.counted(figure) == 0)  // a few seeds need not meet everything
      findings.fail(fmt::format("{} is 0: nothing was put to the test", figure));
  }
  const auto latest =
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(kLatestGet).count());
  if (findings.counted("max_late_us") > latest) findings.fail("a get answered too late");
  return findings;
}

}  // namespace terrace::lab
