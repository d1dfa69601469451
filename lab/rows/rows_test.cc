// Each row, small: it passes, says what it did, and repeats itself.
#include "lab/rows/rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "lab/kit/hook_board.h"
#include "lab/kit/test_support.h"
#include "lab/rows/bitrot.h"
#include "lab/rows/crash.h"
#include "lab/rows/device_errors.h"
#include "lab/rows/extremes.h"
#include "lab/rows/garbage.h"
#include "lab/rows/garbage_real.h"
#include "lab/rows/limits_real.h"
#include "lab/rows/misdirection.h"
#include "lab/rows/planted_bugs.h"
#include "lab/rows/power_cut.h"
#include "lab/rows/prefill.h"
#include "lab/rows/short_io_sim.h"
#include "lab/rows/shrink.h"
#include "lab/rows/simulation.h"
#include "lab/rows/slow_disk.h"
#include "lab/rows/wear.h"

namespace terrace::lab {
namespace {

TEST(Rows, are_found_by_number) {
  EXPECT_EQ("seeds", find_row(1)->counted);
  EXPECT_EQ(nullptr, find_row(26));
}

TEST(Rows, quick_is_a_tenth_and_a_count_is_a_count) {
  EXPECT_EQ(2000u, count_of({}, 2000));
  EXPECT_EQ(200u, count_of({.quick = true}, 2000));
  EXPECT_EQ(7u, count_of({.quick = true, .count = 7}, 2000));
}

TEST(PlantedBugs, the_list_names_each_mutant_of_the_build_and_a_row_that_exists) {
  std::set<std::string_view> listed, built;
  for (const PlantedBug& bug : planted_bugs()) {
    EXPECT_TRUE(listed.insert(bug.name).second) << bug.name;
    EXPECT_NE(nullptr, find_row(bug.row)) << bug.name;
  }
  for (const PointHits& mutant : mutants()) built.insert(mutant.name);
  if (has_hooks()) {
    EXPECT_EQ(built, listed);
  }
  EXPECT_GE(listed.size(), 40u);
}

TEST(Simulation, seeds_of_all_weathers_pass) {
  for (uint64_t seed = 1; seed <= 12; seed++) {
    const SeedOutcome outcome = simulate(seed, 400, false);
    EXPECT_TRUE(outcome.findings.clean()) << failures(outcome.findings);
    EXPECT_GE(outcome.findings.counted("ops"), 400u);
  }
}

TEST(Simulation, same_seed_gives_the_same_trace) {
  EXPECT_EQ(simulate(5, 300, false).trace_hash, simulate(5, 300, false).trace_hash);
  EXPECT_NE(simulate(5, 300, false).trace_hash, simulate(6, 300, false).trace_hash);
}

TEST(Simulation, clients_of_a_server_pass) {
  Findings findings;
  for (uint64_t seed = 2; seed <= 34; seed += 4) {
    const SeedOutcome outcome = simulate(seed, 400, false);
    EXPECT_TRUE(outcome.findings.clean()) << failures(outcome.findings);
    findings.add(outcome.findings);
  }
  for (const char* figure : {"connections_lost", "clients_killed", "server_restarts", "stops_under_load"})
    EXPECT_GT(findings.counted(figure), 0u) << figure;
}

TEST(Simulation, of_a_server_leaves_the_same_trace) {
  for (const uint64_t seed : {6u, 10u})
    EXPECT_EQ(simulate(seed, 400, false).trace_hash, simulate(seed, 400, false).trace_hash) << seed;
}

TEST(Shrink, leaves_out_what_the_failure_does_not_need) {
  SimulationPlan plan{.row = 1, .seed = 7, .ops = 200, .scenario = draw_scenario(7)};
  plan.scenario.lies = true;
  plan.scenario.catalog.namespaces = plan.scenario.catalog.chains = 2;
  plan.scenario.clients = plan.scenario.lives = 2;
  plan.phase = [](Stage& stage) {
    if (stage.scenario.lies) stage.fail("a failure that needs a device that lies");
  };
  const Shrunk shrunk = shrink(plan);
  EXPECT_EQ(10u, shrunk.ops);
  const std::set<std::string> without(shrunk.without.begin(), shrunk.without.end());
  EXPECT_TRUE(without.contains("clients") && without.contains("lives") && without.contains("removals"));
  EXPECT_FALSE(without.contains("lies") || without.contains("faults"));
}

TEST(Shrink, names_the_parts_when_one_is_unknown) {
  Scenario scenario = draw_scenario(1);
  const auto left = leave_out({"nothing"}, scenario);
  ASSERT_FALSE(left);
  EXPECT_THAT(left.error().message, testing::HasSubstr("clients, lives, mock"));
}

TEST(Crash, what_a_killed_process_acknowledged_is_there) {
  RowOptions options;
  options.directory = testing::TempDir();
  options.program = TERRACE_LAB_PROGRAM;
  const Findings findings = crash_cycles(options, 7, 2);
  EXPECT_TRUE(findings.clean()) << failures(findings);
  EXPECT_EQ(2u, findings.counted("cycles"));
}

TEST(Crash, of_a_server_leaves_what_it_acknowledged_to_its_clients) {
  RowOptions options;
  options.directory = testing::TempDir();
  options.program = TERRACE_LAB_PROGRAM;
  const Findings findings = served_crash_cycles(options, 3, 2);
  EXPECT_TRUE(findings.clean()) << failures(findings);
  EXPECT_EQ(2u, findings.counted("served_cycles"));
  EXPECT_GT(findings.counted("owed"), 0u);
}

TEST(Crash, child_that_cannot_start_is_reported) {
  RowOptions options;
  options.directory = testing::TempDir();
  options.program = "/nonexistent/terrace-lab";
  EXPECT_FALSE(crash_cycles(options, 8, 1).clean());
}

TEST(Bitrot, rounds_of_every_kind_pass) {
  const Findings findings = bitrot_rounds(0, 16);
  EXPECT_TRUE(findings.clean()) << failures(findings);
  EXPECT_EQ(16u, findings.counted("rounds"));
  for (const char* kind : {"header_bits", "payload_bits", "slot_entry_bits", "superblock_bits", "pages"}) {
    EXPECT_GT(findings.counted(kind), 0u) << kind;
  }
}

TEST(Misdirection, cases_of_every_kind_pass) {
  const Findings findings = misdirection_cases(0, 14);
  EXPECT_TRUE(findings.clean()) << failures(findings);
  EXPECT_EQ(14u, findings.counted("cases"));
  EXPECT_EQ(2u, findings.counted("previous_life"));
}

TEST(PowerCut, workloads_pass_and_states_differ) {
  const Findings findings = power_cut_workloads(1, 6);
  EXPECT_TRUE(findings.clean()) << failures(findings);
  EXPECT_GT(findings.counted("states"), 50u);
  EXPECT_GT(findings.counted("owed"), 0u);
  EXPECT_GT(findings.counted("worked_on"), 0u);
}

TEST(DeviceErrors, breakers_open_and_close) {
  Findings findings;
  for (uint64_t seed = 1; seed <= 6; seed++) {
    findings.add(simulate(device_errors_plan(seed, 200), false).findings);
  }
  EXPECT_TRUE(findings.clean()) << failures(findings);
  EXPECT_GT(findings.counted("breaker_opened"), 0u);
}

TEST(ShortIo, nobody_notices) {
  for (uint64_t seed = 5; seed <= 8; seed++) {  // the last has a storm
    const Findings findings = simulate(short_io_plan(seed, 300), false).findings;
    EXPECT_TRUE(findings.clean()) << failures(findings);
  }
}

TEST(Garbage, cuts_and_garbage_pass) {
  const Findings findings = garbage_cases(0, 60);
  EXPECT_TRUE(findings.clean()) << failures(findings);
  EXPECT_EQ(45u, findings.counted("cuts"));
  EXPECT_EQ(1u, findings.counted("stored_anew"));
}

TEST(Garbage, something_else_in_place_of_a_real_file_passes) {
  RowOptions options;
  options.directory = testing::TempDir();
  for (const uint64_t number : {5u, 22u, 39u}) {  // a link in place of data, a pipe, a foreign directory
    const Findings findings = garbage_real_case(options, number, "again");
    EXPECT_TRUE(findings.clean()) << failures(findings);
    EXPECT_EQ(1u, findings.counted("real_cases"));
  }
}

TEST(LimitsReal, refused_ring_and_short_transfers_pass) {
  RowOptions options;
  options.directory = testing::TempDir();
  for (const uint64_t number : {0u, 7u}) {
    const Findings findings = limits_case(options, number);
    EXPECT_TRUE(findings.clean()) << failures(findings);
  }
}

TEST(SlowDisk, deadlines_hold_and_breakers_trip) {
  Findings findings;
  for (uint64_t seed = 1; seed <= 4; seed++) {
    findings.add(simulate(slow_disk_plan(seed, 200), false).findings);
  }
  EXPECT_TRUE(findings.clean()) << failures(findings);
  EXPECT_GT(findings.counted("breaker_tripped"), 0u);
}

TEST(Extremes, rounds_of_every_kind_pass) {
  const Findings findings = extremes_rounds(0, 16);
  EXPECT_TRUE(findings.clean()) << failures(findings);
  EXPECT_EQ(16u, findings.counted("rounds"));
  EXPECT_GT(findings.counted("claims"), 500u);
}

TEST(Wear, budget_follows_its_steps) {
  const Findings findings = wear_case({}, 1);
  EXPECT_TRUE(findings.clean()) << failures(findings);
  EXPECT_EQ(6u, findings.counted("steps"));
}

TEST(Prefill, files_do_not_follow_from_what_memory_held) {
  RowOptions options;
  options.directory = testing::TempDir();
  options.program = TERRACE_LAB_PROGRAM;
  options.count = 2;
  const Findings findings = run_prefill(options);
  EXPECT_TRUE(findings.clean()) << failures(findings);
  EXPECT_GE(findings.counted("files_compared"), 8u);
}

}  // namespace
}  // namespace terrace::lab
