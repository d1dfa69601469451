#include "base/hooks.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace terrace::base {
namespace {

// True in a build with hooks when the lab chose it; in any other build the compiler sees `false`.
bool planted() {
  return TERRACE_MUTANT("base.test_mutant");
}

#if defined(TERRACE_HOOKS)

using hooks::Board;
using hooks::Kind;

void reach_probe() {
  TERRACE_PROBE("base.test_probe");
}

void reach_crash_point() {
  TERRACE_CRASH_POINT("base.test_crash_point");
}

class HooksTest : public testing::Test {
 public:
  HooksTest() { hooks::use_board(board_); }
  ~HooksTest() override { hooks::use_board(before_); }

 protected:
  uint64_t hits(Kind kind, std::string_view name) const {
    return board_.hits[static_cast<size_t>(hooks::position_of(kind, name))];
  }
  Board& before_ = hooks::board();
  Board board_;
};

TEST_F(HooksTest, a_probe_counts_how_often_it_was_reached) {
  reach_probe();
  reach_probe();
  EXPECT_EQ(2u, hits(Kind::kProbe, "base.test_probe"));
}

TEST_F(HooksTest, a_mutant_is_a_bug_only_when_chosen) {
  EXPECT_FALSE(planted());
  board_.mutant = hooks::position_of(Kind::kMutant, "base.test_mutant");
  EXPECT_TRUE(planted());
  EXPECT_EQ(1u, hits(Kind::kMutant, "base.test_mutant"));
}

TEST_F(HooksTest, a_name_that_is_not_there_has_no_position) {
  EXPECT_EQ(-1, hooks::position_of(Kind::kMutant, "base.test_probe"));
  EXPECT_EQ(-1, hooks::position_of(Kind::kProbe, "nobody"));
}

TEST_F(HooksTest, names_are_used_once) {
  std::set<std::string> names;
  for (const hooks::Point* point : hooks::points())
    EXPECT_TRUE(names.insert(point->name).second) << point->name;
}

TEST(HooksDeathTest, an_armed_crash_point_kills_at_the_nth_time) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        hooks::arm_crash(hooks::position_of(Kind::kCrashPoint, "base.test_crash_point"), 2);
        reach_crash_point();
        fputs("once ", stderr);
        reach_crash_point();
        fputs("twice", stderr);
      },
      testing::KilledBySignal(SIGKILL), "^once $");
}

#else

TEST(Hooks, are_not_in_this_build) {
  static_assert(!TERRACE_MUTANT("base.test_mutant"));
  EXPECT_FALSE(planted());
}

#endif

}  // namespace
}  // namespace terrace::base
