#include "lab/rows/device_errors.h"

#include <array>
#include <cmath>

#include <fmt/format.h>

#include "lab/rows/tier_watch.h"

namespace terrace::lab {
namespace {

using io::FaultKind;

constexpr uint64_t kSeedsOfARate = 120;
constexpr uint64_t kOps = 5000;
constexpr std::array kRates{1.0 / 32, 1.0 / 128, 1.0 / 1000};
constexpr base::Duration kOpensWithin = std::chrono::milliseconds(998);
constexpr uint64_t kErrorsEnough = 32;  // of a path; the breaker opens after 8 in a row
constexpr std::array kErrors{FaultKind::kReadError, FaultKind::kWriteError,    FaultKind::kSyncError,
                             FaultKind::kOpenError, FaultKind::kAllocateError, FaultKind::kRemoveError,
                             FaultKind::kListError, FaultKind::kLockError};

uint64_t errors_of(const io::FaultCounts& counts) {
  uint64_t errors = 0;
  for (const FaultKind kind : kErrors) errors += counts[kind];
  return errors;
}

// For a while every IO of the disk fails.
void outage(Stage& stage) {
  base::Random random(stage.scenario.machine.seed ^ stage.findings.counted("outages") ^ 0x0D7A6E);
  TierWatch watch(stage, random.next());
  stage.set_weather(false);
  stage.machine.time().run_until(
      std::max(stage.machine.time().now(), stage.machine.faults().stalled_until()));
  watch.expect_return();  // from the errors so far
  stage.findings.count("outages");

  io::FaultRates all;
  for (const FaultKind kind : kErrors) all.chance[kind] = 1;
  stage.machine.faults().set_rates(all);
  const uint64_t before = errors_of(stage.machine.faults().counts());
  const auto took =
      watch.drive(std::chrono::milliseconds(1), kOpensWithin, [&] { return watch.open_paths() > 0; });
  const uint64_t errors = errors_of(stage.machine.faults().counts()) - before;
  if (watch.open_paths() > 0) {
    stage.findings.count("breaker_opened");
    stage.findings.count("max_open_ms", static_cast<uint64_t>(took.count()) / 1'000'000);
  } else if (errors >= kErrorsEnough * watch.paths()) {
    stage.fail(fmt::format("{} errors in {} ms and no breaker is open", errors, took.count() / 1'000'000));
  }
  watch.drive(std::chrono::milliseconds(1), std::chrono::milliseconds(200), [] { return false; });
  watch.expect_others_answer();
  watch.drive(std::chrono::milliseconds(20 + random.below(80)),
              std::chrono::milliseconds(random.below(20'000)), [] { return false; });
  watch.expect_others_answer();
  stage.set_weather(false);
  watch.expect_return();
  stage.set_weather(true);
}

}  // namespace

SimulationPlan device_errors_plan(uint64_t seed, uint64_t ops) {
  SimulationPlan plan{
      .row = 8, .seed = seed, .ops = ops, .scenario = draw_scenario(seed ^ 0xE10), .phase = outage};
  Scenario& scenario = plan.scenario;
  base::Random random(seed ^ 0xDE71CE);
  const double rate = kRates[seed % kRates.size()];
  scenario.errors = true;
  scenario.lies = scenario.full_device = false;
  scenario.fair_one_in = 0;
  scenario.faults = {};
  for (const FaultKind kind : kErrors) scenario.faults.chance[kind] = rate;
  scenario.faults.chance[FaultKind::kBadSector] = rate / 16;
  scenario.mock_faults = {};  // other tiers are well
  // Few errors quarantine a segment, and soon all of them; or so many that the device is used on.
  scenario.machine.disk.quarantine_after = random.one_in(2) ? 3 : 1u << random.below(20);
  return plan;
}

Findings run_device_errors(const RowOptions& options) {
  Findings findings = run_plans(options, 8, kRates.size() * kSeedsOfARate, kOps, device_errors_plan);
  if (options.count) return findings;  // a few seeds need not meet everything
  if (findings.counted("breaker_opened") == 0) findings.fail("no breaker ever opened");
  if (findings.counted("others_answered") == 0) findings.fail("no other tier was ever asked in an outage");
  return findings;
}

}  // namespace terrace::lab
