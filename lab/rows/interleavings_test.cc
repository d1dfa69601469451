#include "lab/rows/interleavings.h"

#include <string>

#include <gtest/gtest.h>

#include "lab/kit/hook_board.h"
#include "lab/kit/test_support.h"

namespace terrace::lab {
namespace {

// One schedule of each: that nobody is interrupted.
TEST(Interleavings, of_every_protocol_hold) {
  if (!has_hooks()) GTEST_SKIP() << "this build has no hooks";
  RowOptions options;
  options.quick = true;
  for (uint64_t seed = 1; seed <= protocols().size(); seed++) {
    if (!protocols()[seed - 1].preemptions) continue;  // all there are: for the row
    options.schedule = "";
    const Findings one = interleave(options, seed);
    EXPECT_TRUE(one.clean()) << failures(one);
    EXPECT_EQ(1u, one.counted("schedules"));
  }
}

}  // namespace
}  // namespace terrace::lab
