// The figures of docs/policies.md, on the real trace. It is not part of the repository: the folder named by
// TERRACE_TRACES holds it, or shared/traces beside the repository. Without it the tests are skipped.
#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>

#include "simulate/bounds.h"
#include "simulate/replay.h"
#include "simulate/trace_reader.h"

namespace terrace::simulate {
namespace {

constexpr uint64_t kCapacities[] = {1827, 9139, 18'279, 45'697};  // 1, 5, 10 and 25 % of the blocks

std::filesystem::path conversation_trace() {
  const char* folder = std::getenv("TERRACE_TRACES");
  return std::filesystem::path(folder != nullptr ? folder : TERRACE_TRACES_BESIDE) /
         "conversation_trace.jsonl";
}

class ReferenceFigures : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto path = conversation_trace();
    if (!std::filesystem::exists(path)) {
      GTEST_SKIP() << "no conversation_trace.jsonl; TERRACE_TRACES names the folder that holds it";
    }
    auto read = read_trace("mooncake", path.string(), {});
    ASSERT_TRUE(read) << read.error().message;
    trace_ = *std::move(read);
  }
  double percent(const Figures& figures) const {
    return 100.0 * static_cast<double>(figures.prefix_hits) / static_cast<double>(figures.accesses);
  }
  double percent(const std::string& policy, uint64_t capacity) const {
    return percent(replay(trace_, {policy, {capacity}}).value());
  }
  Trace trace_;
};

TEST_F(ReferenceFigures, the_trace_is_the_known_one) {
  EXPECT_EQ(trace_.requests.size(), 12'031u);
  EXPECT_EQ(trace_.accesses.size(), 288'500u);
  EXPECT_EQ(trace_.unique_blocks(), 182'790u);
  EXPECT_NEAR(percent(unbounded(trace_)), 36.64, 0.01);
}

TEST_F(ReferenceFigures, lru_hits_what_a_tail_first_lru_does) {
  constexpr double kExpected[] = {5.25, 19.58, 27.89, 35.35};
  for (size_t i = 0; i < std::size(kCapacities); ++i) {
    EXPECT_NEAR(percent("lru", kCapacities[i]), kExpected[i], 0.3) << kCapacities[i];
  }
}

TEST_F(ReferenceFigures, two_class_is_never_more_than_a_tenth_of_a_point_below_lru) {
  constexpr double kExpected[] = {8.86, 21.19, 29.37, 35.49};
  for (size_t i = 0; i < std::size(kCapacities); ++i) {
    const double two_class = percent("two_class", kCapacities[i]);
    EXPECT_GE(two_class, percent("lru", kCapacities[i]) - 0.1) << kCapacities[i];
    EXPECT_NEAR(two_class, kExpected[i], 0.3) << kCapacities[i];
  }
}

TEST_F(ReferenceFigures, the_optimum_is_the_known_one) {
  constexpr double kExpected[] = {24.64, 36.64, 36.64, 36.64};
  for (size_t i = 0; i < std::size(kCapacities); ++i) {
    EXPECT_NEAR(percent(optimum(trace_, kCapacities[i])), kExpected[i], 0.02) << kCapacities[i];
  }
}

}  // namespace
}  // namespace terrace::simulate
