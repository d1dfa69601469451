// Each row, small: it passes, says what it did, and repeats itself.
#include "lab/rows.h"

#include <gtest/gtest.h>

#include "lab/bitrot.h"
#include "lab/crash.h"
#include "lab/misdirection.h"
#include "lab/simulation.h"

namespace terrace::lab {
namespace {

std::string failures(const Findings& findings) {
  std::string text;
  for (const auto& failure : findings.failures) text += failure + "\n";
  return text;
}

TEST(Rows, are_found_by_number) {
  EXPECT_EQ("seeds", find_row(1)->counted);
  EXPECT_EQ(nullptr, find_row(3));
  EXPECT_EQ(4u, rows().size());
}

TEST(Rows, quick_is_a_tenth_and_a_count_is_a_count) {
  EXPECT_EQ(2000u, count_of({}, 2000));
  EXPECT_EQ(200u, count_of({.quick = true}, 2000));
  EXPECT_EQ(7u, count_of({.quick = true, .count = 7}, 2000));
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

TEST(Crash, what_a_killed_process_acknowledged_is_there) {
  RowOptions options;
  options.directory = testing::TempDir();
  options.program = TERRACE_LAB_PROGRAM;
  const Findings findings = crash_cycles(options, 7, 2);
  EXPECT_TRUE(findings.clean()) << failures(findings);
  EXPECT_EQ(2u, findings.counted("cycles"));
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

}  // namespace
}  // namespace terrace::lab
