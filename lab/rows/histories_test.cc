#include "lab/rows/histories.h"

#include <string>

#include <gtest/gtest.h>

#include "lab/kit/test_support.h"

namespace terrace::lab {
namespace {

TEST(Histories, of_every_kind_of_store_are_explained) {
  RowOptions options;
  options.directory = testing::TempDir();
  options.program = TERRACE_LAB_PROGRAM;
  for (uint64_t seed = 1; seed <= 4; seed++) {
    const Findings findings = concurrent_histories(options, seed, 4000);
    EXPECT_TRUE(findings.clean()) << failures(findings);
    EXPECT_GE(findings.counted("ops"), 4000u);
    EXPECT_GT(findings.counted("hits"), 0u);
    EXPECT_EQ(findings.counted("served_ops") > 0, seed == 2);
  }
}

}  // namespace
}  // namespace terrace::lab
