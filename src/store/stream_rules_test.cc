// get_stream, R9: a request larger than L1 passes through a window inside it.
#include "store/testing/store_fixture.h"

namespace terrace::store {
namespace {

using testing::StoreTest;

class StreamRules : public StoreTest {
 protected:
  // More blocks than L1 holds, in the first tier.
  void store_many(int count) {
    for (int first = 1; first <= count; first += 50) {
      ASSERT_EQ(store_waiting(first, 50, first == 1 ? Key{} : key(first - 1)), 50u);
      settle();
    }
  }

  void expect_all_through(L1Mode mode) {
    options_.l1.mode = mode;
    open();
    store_many(400);
    ASSERT_EQ(found(1, 400), 400u);
    auto stream = store_->get_stream(keys(1, 400), {.window = 10 * 65536});
    ASSERT_TRUE(stream);
    uint64_t most = 0;
    int expected = 1;
    while (const auto block = stream->next()) {
      ASSERT_EQ(block->key, key(expected++));
      ASSERT_TRUE(right(*block));
      most = std::max(most, store_->stats().private_bytes);
    }
    EXPECT_EQ(stream->delivered(), 400u);
    EXPECT_EQ(stream->reason(), MissReason::kNone);
    EXPECT_LE(most, 11u * 65536);
  }
};

TEST_F(StreamRules, R9_delivers_more_than_L1_holds_in_order_within_the_window) {
  expect_all_through(L1Mode::kCache);
}

TEST_F(StreamRules, R9_streams_in_staging_too) {
  expect_all_through(L1Mode::kStaging);
}

TEST_F(StreamRules, R9_ends_at_the_first_hole_and_says_why) {
  options_.l1.mode = L1Mode::kStaging;
  open();
  store_chain(1, 5);
  settle();
  ASSERT_TRUE(store_->remove(std::vector<Key>{key(4)}));
  auto stream = store_->get_stream(keys(1, 5));
  while (stream->next()) {
  }
  EXPECT_EQ(stream->delivered(), 3u);
  EXPECT_EQ(stream->reason(), MissReason::kRemoved);
  EXPECT_FALSE(stream->next());
}

TEST_F(StreamRules, Q5_counts_the_keys_behind_its_hole_as_asked_for_and_missed) {
  options_.l1.mode = L1Mode::kStaging;
  open();
  store_chain(1, 3);
  settle();
  auto stream = store_->get_stream(keys(1, 10), {.window = 65536});
  while (stream->next()) {
  }
  const StoreStats stats = store_->stats();
  EXPECT_EQ(stats.keys_asked, 10u);
  EXPECT_EQ(stats.keys_delivered, 3u);
  EXPECT_EQ(stats.misses[static_cast<size_t>(MissReason::kUnknown)], 1u);
  EXPECT_EQ(stats.misses[static_cast<size_t>(MissReason::kBehindHole)], 6u);
}

TEST_F(StreamRules, R9_gives_everything_back_when_it_goes) {
  options_.l1.mode = L1Mode::kStaging;
  open();
  store_chain(1, 20);
  settle();
  {
    auto stream = store_->get_stream(keys(1, 20));
    ASSERT_TRUE(stream->next());
    ASSERT_TRUE(stream->next());
    EXPECT_GT(store_->stats().tiers[0].used_bytes, 0u);
  }
  settle();
  EXPECT_EQ(store_->stats().tiers[0].used_bytes, 0u);
}

TEST_F(StreamRules, R9_refuses_a_window_larger_than_L1) {
  open();
  EXPECT_EQ(store_->get_stream(keys(1, 1), {.window = 1ull << 40}).error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace terrace::store
