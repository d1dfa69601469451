#include "capi/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace terrace::capi {

namespace {

using ::testing::HasSubstr;

// As a program knows it that was compiled before `added` came.
struct Options {
  size_t size;
  uint64_t first;
};
struct Grown {
  size_t size;
  uint64_t first;
  uint64_t added;
};

}  // namespace

template <>
inline constexpr size_t kFirstBytes<Grown> = sizeof(Options);

namespace {

TEST(CApiSized, a_program_from_before_a_struct_has_grown_is_served) {
  const struct {
    Options options;
    uint64_t behind;  // not the program's to give
  } older{{sizeof(Options), 7}, 99};
  const auto read = read_sized(reinterpret_cast<const Grown*>(&older), "options");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->first, 7u);
  EXPECT_EQ(read->added, 0u);
}

TEST(CApiSized, a_size_that_no_version_has_is_refused) {
  for (const size_t size : {size_t{0}, sizeof(Options) - 1, size_t{5000}, SIZE_MAX}) {
    const Grown given{size, 7, 0};
    const auto read = read_sized(&given, "options");
    ASSERT_FALSE(read) << size;
    EXPECT_EQ(read.error().error.code, Code::kInvalidArgument);
    EXPECT_THAT(read.error().message, HasSubstr("set it to sizeof, which is 24 here"));
  }
}

TEST(CApiSized, none_is_all_defaults) {
  const auto read = read_sized(static_cast<const Grown*>(nullptr), "options");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->first, 0u);
}

TEST(CApiCheck, the_first_thing_that_is_wrong_counts) {
  const Answer answer = Check().given("", "text").timeout(-5).given(nullptr, "key").choice(9, 3, "number");
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().message, HasSubstr("timeout_ns is -5"));
  const Answer right =
      Check().given("", "text").timeout(0).timeout_or_stores(-1).list(nullptr, 0, "none").choice(3, 3, "n");
  EXPECT_TRUE(right);
}

}  // namespace
}  // namespace terrace::capi
