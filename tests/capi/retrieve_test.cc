// Getting: leases, operations that run, prefetch, families.
#include <algorithm>

#include "capi/store_fixture.h"

namespace terrace::capi_tests {
namespace {

class CApiRetrieve : public CStore {};
TERRACE_WITH_BOTH_STORES(CApiRetrieve);

TEST_P(CApiRetrieve, leased_bytes_stay_until_they_are_released) {
  open();
  ASSERT_EQ(store_blocks(1, 3), 3u);
  const auto blocks = get(1, 3);
  ok(terrace_remove(store_, keys_of(1, 3).data(), 3, true, nullptr, &error_));
  EXPECT_EQ(lookup(1, 3), 0u);
  push_out();
  EXPECT_EQ(right_blocks(blocks.get(), 1), 3u);
}

TEST_P(CApiRetrieve, blocks_say_which_tier_they_came_from) {
  open();
  ASSERT_EQ(store_blocks(1, 1) + store_blocks(11, 1), 2u);
  sync();
  const auto near = get(1, 1);
  size_t count = 0;
  EXPECT_EQ(terrace_blocks_list(near.get(), &count)->source, 0u);
  push_out();
  terrace_get_options options{};
  options.size = sizeof options;
  options.write_back = TERRACE_WRITE_BACK_NEVER;
  const auto far = get(11, 1, &options);
  ASSERT_EQ(right_blocks(far.get(), 11), 1u);
  const terrace_block* const block = terrace_blocks_list(far.get(), &count);
  EXPECT_EQ(block->source, 1u);
  EXPECT_EQ(std::memcmp(&block->key, keys_of(11, 1).data(), sizeof block->key), 0);
}

TEST_P(CApiRetrieve, a_running_get_is_taken_once_when_its_event_came) {
  open();
  ASSERT_EQ(store_blocks(1, 3), 3u);
  const auto queue = make_queue();
  const auto keys = keys_of(1, 5);
  terrace_get_operation* operation = nullptr;
  ok(terrace_get_async(store_, keys.data(), 5, kPatience, nullptr, queue.get(), 42, &operation, &error_));
  const Held<terrace_get_operation> running(operation);
  const auto all = events(queue.get(), TERRACE_EVENT_RESULT);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].tag, 42u);
  EXPECT_TRUE(terrace_get_ready(operation));
  terrace_blocks* blocks = nullptr;
  ok(terrace_get_take(operation, &blocks, &error_));
  const Held<terrace_blocks> held(blocks);
  EXPECT_EQ(right_blocks(blocks, 1), 3u);
  terrace_blocks* none = nullptr;
  refused(terrace_get_take(operation, &none, &error_), TERRACE_NOT_FOUND, "taken before");
  EXPECT_EQ(none, nullptr);
}

TEST_P(CApiRetrieve, operations_may_be_cancelled_and_ended_at_any_time) {
  open();
  ASSERT_EQ(store_blocks(1, 3), 3u);
  sync();
  push_out();
  const auto keys = keys_of(1, 3);
  for (int how = 0; how < 3; ++how) {
    terrace_get_operation* get = nullptr;
    ok(terrace_get_async(store_, keys.data(), 3, kPatience, nullptr, nullptr, 0, &get, &error_));
    terrace_lookup_operation* lookup = nullptr;
    ok(terrace_lookup_async(store_, keys.data(), 3, TERRACE_TIMEOUT_STORE, nullptr, 0, &lookup, &error_));
    terrace_prefetch_ticket* prefetch = nullptr;
    ok(terrace_prefetch(store_, keys.data(), 3, nullptr, nullptr, 0, &prefetch, &error_));
    if (how > 0) {
      terrace_get_cancel(get);
      terrace_lookup_cancel(lookup);
      terrace_prefetch_cancel(prefetch);
    }
    if (how > 1) terrace_prefetch_release(prefetch);
    terrace_get_free(get);
    terrace_lookup_free(lookup);
    terrace_prefetch_free(prefetch);
  }
  EXPECT_EQ(right_blocks(get(1, 3).get(), 1), 3u);
}

TEST_P(CApiRetrieve, a_running_lookup_answers_once) {
  open();
  ASSERT_EQ(store_blocks(1, 2), 2u);
  const auto queue = make_queue();
  const auto keys = keys_of(1, 3);
  terrace_lookup_operation* operation = nullptr;
  ok(terrace_lookup_async(store_, keys.data(), 3, kPatience, queue.get(), 1, &operation, &error_));
  const Held<terrace_lookup_operation> running(operation);
  EXPECT_EQ(events(queue.get(), TERRACE_EVENT_RESULT).size(), 1u);
  ASSERT_TRUE(terrace_lookup_ready(operation));
  size_t found = 0;
  std::array<uint8_t, 3> reasons{};
  std::array<uint16_t, 3> where{};
  ok(terrace_lookup_take(operation, &found, where.data(), reasons.data(), &error_));
  EXPECT_EQ(found, 2u);
  EXPECT_EQ(where[1] & 1, 1);
  EXPECT_EQ(reasons[2], TERRACE_MISS_UNKNOWN);
  refused(terrace_lookup_take(operation, &found, nullptr, nullptr, &error_), TERRACE_NOT_FOUND,
          "taken before");
}

TEST_P(CApiRetrieve, a_get_takes_what_a_prefetch_in_staging_brought) {
  open("staging");
  ASSERT_EQ(store_blocks(1, 3), 3u);
  sync();
  const auto queue = make_queue();
  terrace_prefetch_options how{};
  how.size = sizeof how;
  how.policy = TERRACE_PREFETCH_TEMPORARY;
  terrace_prefetch_ticket* ticket = nullptr;
  ok(terrace_prefetch(store_, keys_of(1, 3).data(), 3, &how, queue.get(), 5, &ticket, &error_));
  const Held<terrace_prefetch_ticket> prefetch(ticket);
  ASSERT_EQ(events(queue.get(), TERRACE_EVENT_RESULT).size(), 1u);
  terrace_progress progress{};
  ok(terrace_prefetch_progress(ticket, &progress, &error_));
  EXPECT_EQ(progress.asked, 3u);
  EXPECT_EQ(progress.arrived, 3u);
  EXPECT_EQ(progress.failed, 0u);
  EXPECT_EQ(progress.ended, 1u);
  terrace_get_options options{};
  options.size = sizeof options;
  options.ticket = ticket;
  const auto blocks = get(1, 3, &options);
  ASSERT_EQ(right_blocks(blocks.get(), 1), 3u);
  size_t count = 0;
  EXPECT_EQ(terrace_blocks_list(blocks.get(), &count)->source, 0u) << "from L1, not from the disk once more";
}

TEST_P(CApiRetrieve, a_family_is_found_when_all_its_members_are_there) {
  open();
  const terrace_key families[] = {key_of(500), key_of(501)};
  const terrace_family_group groups[] = {{2, 0}};
  Request request(1, 3);
  for (uint32_t i = 0; i < 3; ++i) {
    terrace_block_spec& block = request.blocks[i];
    block.family = families[i / 2];
    block.member = {0, i % 2, 2};
    ok(terrace_member_key(&block.family, &block.member, &block.key, &error_));
  }
  ok(terrace_reserve(store_, &request.named, request.outcomes.data(), request.reservations.data(), &error_));
  ok(terrace_commit(store_, request.reservations.data(), 3, nullptr, 0, &error_));
  size_t found = 0;
  std::array<uint8_t, 2> reasons{};
  ok(terrace_lookup_families(store_, families, 2, groups, 1, &found, reasons.data(), &error_));
  EXPECT_EQ(found, 1u);
  EXPECT_EQ(reasons[1], TERRACE_MISS_FAMILY_INCOMPLETE);
  std::array<terrace_key, 2> keys;
  size_t count = 0;
  ok(terrace_needed_members(families, found, groups, 1, nullptr, 0, &count, &error_));
  EXPECT_EQ(count, 2u);
  ok(terrace_needed_members(families, found, groups, 1, keys.data(), keys.size(), &count, &error_));
  terrace_blocks* blocks = nullptr;
  ok(terrace_get(store_, keys.data(), count, kPatience, nullptr, &blocks, &error_));
  const Held<terrace_blocks> held(blocks);
  size_t delivered = 0;
  (void)terrace_blocks_list(blocks, &delivered);
  EXPECT_EQ(delivered, 2u);
}

}  // namespace
}  // namespace terrace::capi_tests
