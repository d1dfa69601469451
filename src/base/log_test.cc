#include "base/log.h"

#include <chrono>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/virtual_executor.h"

namespace terrace::base {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

class Log : public testing::Test {
 protected:
  Log() {
    log::set_level(log::Level::kInfo);
    log::set_sink([this](log::Level, std::string_view line) { lines_.emplace_back(line); });
  }
  ~Log() override {
    log::set_sink({});
    log::set_level(log::Level::kInfo);
  }
  std::vector<std::string> lines_;
};

TEST_F(Log, lines_below_the_level_are_neither_formatted_nor_written) {
  log::debug("no {}", 1);
  log::info("yes {}", 2);
  log::set_level(log::Level::kError);
  log::warn("no");
  log::error("{}", "yes");
  log::set_level(log::Level::kOff);
  log::error("no");
  EXPECT_THAT(lines_, ElementsAre("yes 2", "yes"));
}

TEST_F(Log, level_names_are_those_of_TERRACE_LOG) {
  EXPECT_EQ(log::level_from_name("warn"), log::Level::kWarn);
  EXPECT_EQ(log::level_from_name("off"), log::Level::kOff);
  EXPECT_EQ(log::level_from_name("WARN"), std::nullopt);
  EXPECT_EQ(log::level_from_name(""), std::nullopt);
}

TEST_F(Log, without_a_sink_lines_go_to_standard_error) {
  log::set_sink({});
  testing::internal::CaptureStderr();
  log::warn("{} to see", "something");
  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::HasSubstr("terrace: something to see"));
  EXPECT_THAT(lines_, IsEmpty());
}

TEST_F(Log, a_limited_site_writes_one_line_a_second_and_says_how_many_it_left_out) {
  VirtualExecutor clock;
  RateLimit limit(clock);
  for (int i = 0; i < 5; ++i) log::limited(limit, log::Level::kWarn, "read {} failed", i);
  clock.run_for(999ms);
  log::limited(limit, log::Level::kWarn, "read {} failed", 5);
  EXPECT_THAT(lines_, ElementsAre("read 0 failed"));
  clock.run_for(1ms);
  log::limited(limit, log::Level::kWarn, "read {} failed", 6);
  EXPECT_THAT(lines_, ElementsAre("read 0 failed", "read 6 failed (5 more like this were not logged)"));
  clock.run_for(10s);
  log::limited(limit, log::Level::kWarn, "read {} failed", 7);
  EXPECT_EQ(lines_.back(), "read 7 failed");
}

}  // namespace
}  // namespace terrace::base
