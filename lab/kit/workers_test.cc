#include "lab/kit/workers.h"

#include <cstdlib>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace terrace::lab {
namespace {

std::string replay(uint64_t job) {
  return fmt::format("run --seed {}", job);
}

TEST(Workers, every_job_runs_once_and_reports_add_up) {
  const Findings sum = run_jobs({.first = 10, .count = 20}, [](uint64_t job) {
    Findings findings;
    findings.count("jobs");
    findings.count("numbers", job);
    return findings;
  });
  EXPECT_EQ(20u, sum.counted("jobs"));
  EXPECT_EQ(390u, sum.counted("numbers"));
  EXPECT_TRUE(sum.clean());
}

TEST(Workers, job_that_dies_is_reported_with_its_replay_and_the_others_go_on) {
  const Findings sum = run_jobs({.count = 8, .replay = replay}, [](uint64_t job) {
    if (job == 3) ::_exit(42);
    Findings findings;
    findings.count("jobs");
    return findings;
  });
  EXPECT_EQ(7u, sum.counted("jobs"));
  EXPECT_EQ(1u, sum.failed);
  ASSERT_EQ(1u, sum.failures.size());
  EXPECT_NE(std::string::npos, sum.failures[0].find("exited with 42; replay: run --seed 3"))
      << sum.failures[0];
}

TEST(Workers, job_that_hangs_is_stopped_and_reported) {
  const Findings sum =
      run_jobs({.count = 2, .job_limit = std::chrono::seconds(1), .replay = replay}, [](uint64_t job) {
        while (job == 1) ::pause();
        return Findings{};
      });
  EXPECT_EQ(1u, sum.failed);
  EXPECT_NE(std::string::npos, sum.failures[0].find("did not end within 1 s")) << sum.failures[0];
}

TEST(Workers, large_reports_arrive_whole) {
  const Findings sum = run_jobs({.count = 4}, [](uint64_t) {
    Findings findings;
    for (int i = 0; i < 20; i++) findings.fail(std::string(20'000, 'x'));
    return findings;
  });
  EXPECT_EQ(80u, sum.failed);
  EXPECT_EQ(20'000u, sum.failures[0].size());
}

}  // namespace
}  // namespace terrace::lab
