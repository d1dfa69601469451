#include "simulate/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace terrace::simulate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(TraceBuilder, numbers_blocks_and_links_them_to_their_parents) {
  TraceBuilder builder;
  ASSERT_TRUE(builder.add(5, 0, std::vector<uint64_t>{70, 71, 72}));
  ASSERT_TRUE(builder.add(9, 0, std::vector<uint64_t>{70, 90}));
  const Trace trace = std::move(builder).finish(512);
  EXPECT_THAT(trace.accesses, ElementsAre(0, 1, 2, 0, 3));
  EXPECT_THAT(trace.parents, ElementsAre(kNoParent, 0, 1, 0));
  EXPECT_EQ(trace.duration(), 4u);
  EXPECT_EQ(trace.block_tokens, 512u);
}

TEST(TraceBuilder, orders_requests_by_time_and_keeps_the_order_of_equal_ones) {
  TraceBuilder builder;
  for (const uint64_t time : {3, 1, 3})
    ASSERT_TRUE(builder.add(time, 0, std::vector<uint64_t>{time, 8 + time}));
  const Trace trace = std::move(builder).finish(0);
  EXPECT_EQ(trace.requests[0].time, 1u);
  EXPECT_EQ(trace.requests[1].first, 0u);
  EXPECT_EQ(trace.requests[2].first, 4u);
}

TEST(TraceBuilder, ids_of_other_scopes_and_name_spaces_are_other_blocks) {
  TraceBuilder builder;
  ASSERT_TRUE(builder.add(0, 0, std::vector<uint64_t>{1}));
  ASSERT_TRUE(builder.add(0, 1, std::vector<uint64_t>{1}));
  builder.new_scope();
  ASSERT_TRUE(builder.add(0, 0, std::vector<uint64_t>{1}));
  EXPECT_EQ(std::move(builder).finish(0).unique_blocks(), 3u);
}

TEST(TraceBuilder, refuses_an_id_that_does_not_name_its_prefix) {
  TraceBuilder builder;
  ASSERT_TRUE(builder.add(0, 0, std::vector<uint64_t>{1, 2}));
  const auto refused = builder.add(0, 0, std::vector<uint64_t>{3, 2});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error.code, Code::kInvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr("block 2 (position 1)"));
  EXPECT_FALSE(TraceBuilder().add(0, 0, std::vector<uint64_t>{4, 5, 4})) << "twice in one request";
}

TEST(LargerBlocks, are_named_by_the_last_of_those_they_are_made_of) {
  TraceBuilder builder;
  ASSERT_TRUE(builder.add(0, 0, std::vector<uint64_t>{1, 2, 3, 4, 5}));
  ASSERT_TRUE(builder.add(1, 0, std::vector<uint64_t>{1, 2, 3, 6}));
  ASSERT_TRUE(builder.add(2, 0, std::vector<uint64_t>{1}));
  const Trace larger = with_larger_blocks(std::move(builder).finish(64), 2);
  EXPECT_THAT(larger.accesses, ElementsAre(0, 1, 2, 0, 3, 4)) << "a partly filled block is its own";
  EXPECT_THAT(larger.parents, ElementsAre(kNoParent, 0, 1, 0, kNoParent));
  EXPECT_EQ(larger.block_tokens, 128u);
}

}  // namespace
}  // namespace terrace::simulate
