// Hand-made histories: legal ones are explained, illegal ones are not.
#include "lab/kit/history_checker.h"

#include <gtest/gtest.h>

namespace terrace::lab {
namespace {

constexpr uint32_t kKey = 1;

class History : public testing::Test {
 protected:
  bool explained(Writer writer, Span when) { return !checker_.contradiction({kKey, writer, when}); }
  // Whoever wrote it.
  bool explained(Span when) { return explained(0, when); }
  HistoryChecker checker_{2};
};

TEST_F(History, a_value_is_seen_after_its_write_and_while_it_runs) {
  checker_.wrote(kKey, 1, {10, 20});
  EXPECT_TRUE(explained(1, {30, 40}));
  EXPECT_TRUE(explained(1, {12, 15}));
  EXPECT_TRUE(explained(1, {5, 11}));
  EXPECT_TRUE(explained({5, 11}));
}

TEST_F(History, a_value_is_not_seen_before_its_write_began) {
  checker_.wrote(kKey, 1, {10, 20});
  EXPECT_FALSE(explained(1, {5, 9}));
  EXPECT_FALSE(explained({5, 9}));
}

TEST_F(History, a_writer_who_never_committed_is_not_seen) {
  checker_.wrote(kKey, 1, {10, 20});
  EXPECT_FALSE(explained(2, {30, 40}));
  EXPECT_FALSE(explained(kPrivate | 1, {30, 40}));
}

TEST_F(History, a_value_of_another_key_is_not_seen) {
  checker_.wrote(0, 1, {10, 20});
  EXPECT_FALSE(explained(1, {30, 40}));
  EXPECT_FALSE(explained({30, 40}));
}

TEST_F(History, of_two_writers_either_is_seen_however_they_overlap) {
  checker_.wrote(kKey, 1, {10, 20});
  checker_.wrote(kKey, 2, {15, 25});
  checker_.wrote(kKey, 3, {30, 40});
  for (Writer writer : {1u, 2u, 3u}) EXPECT_TRUE(explained(writer, {50, 60})) << writer;
}

TEST_F(History, what_was_removed_is_not_seen) {
  checker_.wrote(kKey, 1, {10, 20});
  checker_.removed(kKey, {30, 40});
  EXPECT_FALSE(explained(1, {50, 60}));
  EXPECT_FALSE(explained({50, 60}));
}

TEST_F(History, a_removal_that_runs_takes_nothing_away_yet) {
  checker_.wrote(kKey, 1, {10, 20});
  checker_.removed(kKey, {30, 40});
  EXPECT_TRUE(explained(1, {35, 60}));  // it began before the removal was acknowledged
  EXPECT_TRUE(explained(1, {25, 29}));
}

TEST_F(History, a_write_that_overlaps_the_removal_may_come_after_it) {
  checker_.wrote(kKey, 1, {10, 31});
  checker_.removed(kKey, {30, 40});
  EXPECT_TRUE(explained(1, {50, 60}));
}

TEST_F(History, a_write_after_the_removal_is_seen_and_the_one_before_it_is_not) {
  checker_.wrote(kKey, 1, {10, 20});
  checker_.removed(kKey, {30, 40});
  checker_.wrote(kKey, 2, {41, 42});
  EXPECT_FALSE(explained(1, {50, 60}));
  EXPECT_TRUE(explained(2, {50, 60}));
  EXPECT_TRUE(explained({50, 60}));
}

TEST_F(History, any_one_of_many_removals_takes_the_value_away) {
  checker_.wrote(kKey, 1, {10, 20});
  checker_.removed(kKey, {5, 9});     // before the write
  checker_.removed(kKey, {15, 100});  // overlaps it
  checker_.removed(kKey, {21, 300});  // not acknowledged in time
  EXPECT_TRUE(explained(1, {200, 210}));
  checker_.removed(kKey, {22, 150});
  EXPECT_FALSE(explained(1, {200, 210}));
  EXPECT_TRUE(explained(1, {149, 210}));
}

TEST_F(History, a_write_without_an_end_outlives_every_removal) {
  checker_.wrote(kKey, 1, {10, kNeverEnded});
  checker_.removed(kKey, {30, 40});
  EXPECT_TRUE(explained(1, {50, 60}));
}

TEST_F(History, what_contradicts_is_told_in_words) {
  checker_.wrote(kKey, 1, {10, 20});
  checker_.removed(kKey, {30, 40});
  EXPECT_EQ("key 1: writer 0x1 seen at [50, 60], written at [10, 20], removed at [30, 40]",
            checker_.contradiction({kKey, 1, {50, 60}}));
  EXPECT_EQ("key 1: writer 0x2 seen at [50, 60], who never committed",
            checker_.contradiction({kKey, 2, {50, 60}}));
  EXPECT_EQ("key 1: writer 0x1 seen at [1, 2], written only at [10, 20]",
            checker_.contradiction({kKey, 1, {1, 2}}));
}

}  // namespace
}  // namespace terrace::lab
