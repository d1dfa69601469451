// The rows that start processes (3, 13, 19, 20), small, and what they are made of.
#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "lab/kit/hook_board.h"
#include "lab/kit/test_support.h"
#include "lab/rows/children.h"
#include "lab/rows/crash_points.h"
#include "lab/rows/golden_store.h"
#include "lab/rows/idle.h"
#include "lab/rows/network.h"
#include "lab/rows/restart.h"

namespace terrace::lab {
namespace {

RowOptions small_options() {
  RowOptions options;
  options.quick = true;
  options.directory = testing::TempDir();
  options.program = TERRACE_LAB_PROGRAM;
  return options;
}

TEST(Children, have_names_of_their_own) {
  std::set<std::string_view> names;
  for (const ChildCommand& child : child_commands())
    EXPECT_TRUE(names.insert(child.name).second) << child.name;
}

TEST(CrashPoints, a_process_is_killed_at_one_by_name_and_what_it_acknowledged_is_there) {
  const auto points = crash_points();
  if (!has_hooks()) {
    EXPECT_FALSE(run_crash_points(small_options()).skipped.empty());
    return;
  }
  ASSERT_GE(points.size(), 40u);
  const auto found = std::ranges::find(points, "disk.entry_written", &PointHits::name);
  ASSERT_NE(found, points.end());
  const auto seed = static_cast<uint64_t>(found - points.begin());
  const Findings findings = crash_point_job(small_options(), seed);
  EXPECT_TRUE(findings.clean()) << failures(findings);
  EXPECT_EQ(2u, findings.counted("kills of disk.entry_written"));
}

TEST(Restart, goes_on_with_what_was_there) {
  const Findings findings = restarts(small_options(), 3, 1);
  EXPECT_TRUE(findings.clean()) << failures(findings);
  EXPECT_EQ(1u, findings.counted("restarts"));
  EXPECT_GT(findings.counted("compared_before"), 0u);
  EXPECT_GT(findings.counted("compared_after") * 10, findings.counted("compared_before") * 9);
}

TEST(Restart, a_child_that_cannot_start_is_reported) {
  RowOptions options = small_options();
  options.program = "/nonexistent/terrace-lab";
  EXPECT_FALSE(restarts(options, 4, 1).clean());
}

TEST(Restart, of_a_server_is_seen_as_misses_by_its_clients) {
  const Findings findings = served_restarts(small_options(), 2, 2);
  EXPECT_TRUE(findings.clean()) << failures(findings);
  EXPECT_EQ(2u, findings.counted("served_restarts"));
  EXPECT_GT(findings.counted("served_compared_before"), 0u);
  EXPECT_GT(findings.counted("served_compared_after") * 10, findings.counted("served_compared_before") * 9);
}

TEST(Restart, a_server_that_cannot_start_is_reported) {
  RowOptions options = small_options();
  options.program = "/nonexistent/terrace-lab";
  EXPECT_FALSE(served_restarts(options, 2, 1).clean());
}

TEST(Idle, a_server_and_its_clients_cost_nothing) {
  const Findings findings = idle_served(small_options(), 3, 40);
  EXPECT_TRUE(findings.clean()) << failures(findings);
  EXPECT_EQ(40u, findings.counted("connects"));
}

TEST(Network, faults_of_one_client_are_not_noticed_by_another) {
  const Findings findings = network_sessions(small_options(), 9, 4);
  EXPECT_TRUE(findings.clean()) << failures(findings);
  EXPECT_EQ(4u, findings.counted("sessions"));
  EXPECT_GT(findings.counted("untouched_ops"), 0u);
}

TEST(Network, a_server_that_cannot_start_is_reported) {
  RowOptions options = small_options();
  options.program = "/nonexistent/terrace-lab";
  EXPECT_FALSE(network_sessions(options, 1, 1).clean());
}

TEST(GoldenStore, of_version_1_serves_every_block) {
  const Findings findings = open_golden_stores(small_options());
  EXPECT_TRUE(findings.clean()) << failures(findings);
  EXPECT_EQ(16u, findings.counted("golden_blocks"));
}

}  // namespace
}  // namespace terrace::lab
