#include "lab/kit/expected_state.h"

#include <unistd.h>

#include <cstdio>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace terrace::lab {
namespace {

class File {
 public:
  File() : path_(fmt::format("{}expected.{}", testing::TempDir(), ::getpid())) { std::remove(path_.c_str()); }
  ~File() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(ExpectedState, key_never_written_must_be_missing) {
  const ExpectedState expected(3);
  EXPECT_TRUE(expected.of(2).must_be_missing());
  EXPECT_FALSE(expected.of(2).must_be_found());
  EXPECT_FALSE(expected.of(2).allows(1));
}

TEST(ExpectedState, pending_write_may_be_found_or_not) {
  ExpectedState expected(1);
  const Writer writer = expected.begin_write(0);
  EXPECT_FALSE(expected.of(0).must_be_missing());
  EXPECT_FALSE(expected.of(0).must_be_found());
  EXPECT_TRUE(expected.of(0).allows(writer));
  EXPECT_FALSE(expected.of(0).allows(writer + 1));
  EXPECT_FALSE(expected.of(0).allows(kPrivate | writer));
}

TEST(ExpectedState, ended_write_must_be_found_until_a_removal_begins) {
  ExpectedState expected(1);
  expected.write_durable(0, expected.begin_write(0));
  EXPECT_TRUE(expected.of(0).must_be_found());
  expected.begin_remove(0);
  EXPECT_FALSE(expected.of(0).must_be_found());
  EXPECT_FALSE(expected.of(0).must_be_missing());
  expected.end_remove(0);
  EXPECT_TRUE(expected.of(0).must_be_missing());
  EXPECT_FALSE(expected.of(0).allows(1));
}

TEST(ExpectedState, completion_of_a_removed_write_owes_nothing) {
  ExpectedState expected(1);
  const Writer writer = expected.begin_write(0);
  expected.begin_remove(0);
  expected.end_remove(0);
  expected.write_durable(0, writer);
  EXPECT_FALSE(expected.of(0).must_be_found());
  expected.write_durable(0, expected.begin_write(0));
  EXPECT_TRUE(expected.of(0).must_be_found());
  EXPECT_FALSE(expected.of(0).allows(writer));
}

TEST(ExpectedState, what_was_found_after_a_crash_stays_and_what_was_not_stays_gone) {
  ExpectedState expected(2);
  for (uint32_t key = 0; key < 2; key++) {
    expected.begin_write(key);
    expected.begin_remove(key);
    expected.end_remove(key);
    for (int i = 0; i < 3; i++) expected.begin_write(key);
    expected.begin_remove(key);
  }
  expected.settle(0, 3);
  EXPECT_TRUE(expected.of(0).must_be_found());
  EXPECT_TRUE(expected.of(0).allows(3));
  EXPECT_TRUE(expected.of(0).allows(2)) << "an older record of it may still stand on the disk (K5)";
  EXPECT_FALSE(expected.of(0).allows(1));
  expected.settle(1, 0);
  EXPECT_TRUE(expected.of(1).must_be_missing());
}

TEST(ExpectedState, power_cut_forgives_what_was_not_synced) {
  ExpectedState expected(1);
  expected.write_durable(0, expected.begin_write(0));
  expected.begin_remove(0);
  expected.end_remove(0);
  expected.write_durable(0, expected.begin_write(0));
  expected.forgive(0, 0);
  EXPECT_FALSE(expected.of(0).must_be_found());
  EXPECT_TRUE(expected.of(0).allows(1));
}

TEST(ExpectedState, file_keeps_what_it_was_told) {
  const File file;
  {
    auto expected = ExpectedState::open(file.path(), 100);
    ASSERT_TRUE(expected) << expected.error().message;
    (*expected)->write_durable(99, (*expected)->begin_write(99));
    (*expected)->begin_write(99);
  }
  auto expected = ExpectedState::open(file.path(), 100);
  ASSERT_TRUE(expected) << expected.error().message;
  EXPECT_EQ(2u, (*expected)->of(99).begun);
  EXPECT_EQ(1u, (*expected)->of(99).durable);
  EXPECT_EQ(0u, (*expected)->of(0).begun);
}

TEST(ExpectedState, file_of_another_size_is_refused_by_name) {
  const File file;
  ASSERT_TRUE(ExpectedState::open(file.path(), 100));
  const auto other = ExpectedState::open(file.path(), 101);
  ASSERT_FALSE(other);
  EXPECT_NE(std::string::npos, other.error().message.find(file.path()));
}

}  // namespace
}  // namespace terrace::lab
