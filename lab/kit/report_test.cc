#include "lab/kit/report.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace terrace::lab {
namespace {

TEST(Report, findings_add_up_and_maxima_stay_maxima) {
  Findings sum, more;
  sum.count("ops", 5);
  sum.count("max_recovery_ms", 40);
  more.count("max_recovery_ms", 30);
  more.count("ops", 7);
  more.fail("one");
  more.fail_wrong("two");
  sum.add(more);
  EXPECT_EQ(12u, sum.counted("ops"));
  EXPECT_EQ(40u, sum.counted("max_recovery_ms"));
  EXPECT_EQ(1u, sum.wrong);
  EXPECT_EQ(1u, sum.failed);
  EXPECT_EQ(2u, sum.failures.size());
  EXPECT_FALSE(sum.clean());
}

TEST(Report, findings_survive_json) {
  Findings findings;
  findings.count("ops", 3);
  findings.fail_wrong("word 3");
  const Findings back = findings_from_json(to_json(findings));
  EXPECT_EQ(findings.counts, back.counts);
  EXPECT_EQ(findings.failures, back.failures);
  EXPECT_EQ(1u, back.wrong);
}

TEST(Report, only_so_many_failures_are_kept) {
  Findings findings;
  for (int i = 0; i < 1000; i++) findings.fail("x");
  EXPECT_EQ(1000u, findings.failed);
  EXPECT_EQ(kFailuresKept, findings.failures.size());
}

TEST(Report, line_and_json_name_the_row_its_figures_and_its_end) {
  RowReport report{.row = 1, .title = "simulation"};
  report.findings.count("seeds", 2);
  EXPECT_TRUE(line(report).starts_with("row 1: seeds=2 wrong=0 failed=0 passed in ")) << line(report);
  EXPECT_EQ(2, to_json(report)["figures"]["seeds"]);
  EXPECT_TRUE(to_json(report)["skipped"].is_null());
  report.findings.fail("broken");
  EXPECT_NE(std::string::npos, line(report).find("FAILED"));
  EXPECT_FALSE(to_json(report)["passed"].get<bool>());
}

TEST(Report, skipped_row_says_why_and_did_not_pass) {
  const RowReport report{.row = 10, .skipped = "needs root"};
  EXPECT_EQ("row 10: skipped: needs root", line(report));
  EXPECT_FALSE(report.passed());
  EXPECT_EQ("needs root", to_json(report)["skipped"]);
}

}  // namespace
}  // namespace terrace::lab
