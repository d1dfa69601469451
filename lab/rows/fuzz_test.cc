#include "lab/rows/fuzz.h"

#include <gtest/gtest.h>

namespace terrace::lab {
namespace {

TEST(Fuzz, targets_are_read_a_line_each) {
  const auto targets = read_fuzz_targets("api store fuzzer /a folder\nrecord decoder replay /b\nusage\n");
  ASSERT_EQ(2u, targets.size());
  EXPECT_EQ("api", targets[0].name);
  EXPECT_EQ("fuzzer", targets[0].program);
  EXPECT_EQ("/a folder", targets[0].folder);
  EXPECT_EQ("decoder", targets[1].kind);
}

TEST(Fuzz, figures_and_the_input_that_failed_are_found_in_the_output) {
  const FuzzOutcome outcome = read_fuzz_output(
      "#1 INITED\n==1==ERROR\nSUMMARY: AddressSanitizer: FPE a.cc:1\n"
      "artifact_prefix='/tmp/x-'; Test unit written to /tmp/x-crash-1\n"
      "stat::number_of_executed_units: 2097152\nstat::average_exec_per_sec:     9\n");
  EXPECT_EQ(2'097'152u, outcome.executions);
  EXPECT_EQ("/tmp/x-crash-1", outcome.artifact);
  EXPECT_EQ("SUMMARY: AddressSanitizer: FPE a.cc:1", outcome.summary);
}

TEST(Fuzz, row_is_skipped_without_its_programs) {
  RowOptions options;
  options.directory = testing::TempDir();
  options.fuzz = "/nonexistent";
  const Findings findings = run_fuzz(options);
  EXPECT_NE(std::string::npos, findings.skipped.find("/nonexistent"));
}

}  // namespace
}  // namespace terrace::lab
