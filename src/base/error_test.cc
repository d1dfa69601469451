#include <terrace/error.h>

#include <cerrno>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "base/assert.h"

namespace terrace {
namespace {

TEST(Error, every_code_has_a_name_of_its_own) {
  std::set<std::string_view> names;
  for (uint8_t number = 1; number <= static_cast<uint8_t>(Code::kInternal); ++number)
    names.insert(to_string(static_cast<Code>(number)));
  EXPECT_EQ(names.size(), static_cast<size_t>(Code::kInternal));
  EXPECT_FALSE(names.contains("unknown"));
  EXPECT_EQ(to_string(static_cast<Code>(200)), "unknown");
}

TEST(Error, text_is_what_and_errno) {
  EXPECT_EQ(to_string(Error{Code::kIo, ENOENT, "open segment"}), "open segment: No such file or directory");
  EXPECT_EQ(to_string(Error{Code::kCorrupt, 0, "header sum"}), "header sum");
  EXPECT_EQ(to_string(Error{Code::kBusy, 0, ""}), "busy");
}

TEST(AssertDeathTest, a_false_invariant_names_itself_and_aborts) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_DEATH(TERRACE_ASSERT(1 + 1 == 3), "error_test.cc.*1 \\+ 1 == 3");
  TERRACE_ASSERT(true);
}

}  // namespace
}  // namespace terrace
