// Storing, S1 to S7: one test per sentence of the rules.
#include "store/testing/store_fixture.h"

namespace terrace::store {
namespace {

using testing::StoreTest;

class StoreRules : public StoreTest {};

TEST_F(StoreRules, S1_gives_buffers_for_unknown_keys_and_present_for_resident_ones) {
  open();
  EXPECT_EQ(store_chain(1, 3), 3u);
  const auto again = reserve(1, 4);
  EXPECT_EQ(again[0].outcome, ReserveOutcome::kPresent);
  EXPECT_EQ(again[2].outcome, ReserveOutcome::kPresent);
  EXPECT_EQ(again[3].outcome, ReserveOutcome::kBuffer);
}

TEST_F(StoreRules, S1_gives_a_buffer_for_a_key_in_another_writers_reservation) {
  open();
  const auto first = reserve(1, 1);
  const auto second = reserve(1, 1);
  EXPECT_EQ(first[0].outcome, ReserveOutcome::kBuffer);
  EXPECT_EQ(second[0].outcome, ReserveOutcome::kBuffer);
}

TEST_F(StoreRules, S1_answers_no_room_for_everything_after_the_first) {
  open();
  const auto all = reserve(1, 200);
  size_t buffers = 0;
  while (buffers < all.size() && all[buffers].outcome == ReserveOutcome::kBuffer) ++buffers;
  EXPECT_EQ(buffers, kL1Blocks);
  for (size_t i = buffers; i < all.size(); ++i) EXPECT_EQ(all[i].outcome, ReserveOutcome::kNoRoom);
}

TEST_F(StoreRules, S1_queues_a_write_for_a_resident_block_that_a_tier_lacks) {
  open();
  tiers_[0]->unavailable = true;
  store_chain(1, 2);
  settle();
  EXPECT_EQ(tiers_[0]->records(), 0u);
  tiers_[0]->unavailable = false;
  reserve(1, 2);
  settle();
  EXPECT_EQ(tiers_[0]->records(), 2u);
}

TEST_F(StoreRules, S1_gives_a_buffer_for_a_key_only_in_L2_and_writes_nothing) {
  open();
  store_chain(1, 2);
  settle();
  evict_l1();
  ASSERT_EQ(found(1, 2), 2u);
  const auto writes = tiers_[0]->writes;
  EXPECT_EQ(store_chain(1, 2), 2u);
  settle();
  EXPECT_EQ(tiers_[0]->writes, writes);
  EXPECT_EQ(store_->lookup(keys(1, 1))->where[0] & 1, 1);
}

TEST_F(StoreRules, K4_answers_a_key_twice_in_a_batch_but_gives_one_buffer) {
  open();
  const std::vector<BlockSpec> specs{{key(1), kBlock, {}, {}}, {key(1), kBlock, {}, {}}};
  const auto answers = store_->reserve({root_, {}, specs});
  EXPECT_EQ((*answers)[0].outcome, ReserveOutcome::kBuffer);
  EXPECT_EQ((*answers)[1].outcome, ReserveOutcome::kInFlight);
}

TEST_F(StoreRules, K4_refuses_what_is_beyond_a_limit_and_changes_nothing) {
  open();
  for (const uint64_t bytes : {uint64_t{0}, kBlockBytesMax + 1, uint64_t{3} << 20}) {
    const std::vector<BlockSpec> specs{{key(1), kBlock, {}, {}}, {key(2), bytes, {}, {}}};
    EXPECT_FALSE(store_->reserve({root_, {}, specs})) << bytes;
  }
  EXPECT_FALSE(store_->lookup(std::vector<Key>(kBatchMax + 1)));
  EXPECT_EQ(store_->stats().reservations, 0u);
}

TEST_F(StoreRules, S2_hides_a_reservation_until_it_is_committed) {
  open();
  auto answers = reserve(1, 1);
  EXPECT_EQ(found(1, 1), 0u);
  EXPECT_EQ(reason(1), MissReason::kInFlight);
  fill(answers[0].reservation);
  store_->commit(std::span(&answers[0].reservation, 1));
  EXPECT_EQ(found(1, 1), 1u);
}

TEST_F(StoreRules, S2_leaves_nothing_of_an_aborted_reservation) {
  open();
  {
    const auto dropped = reserve(1, 3);
  }
  EXPECT_EQ(found(1, 1), 0u);
  EXPECT_EQ(store_->stats().tiers[0].used_bytes, 0u);
  EXPECT_EQ(store_->stats().reserved_bytes, 0u);
}

TEST_F(StoreRules, S2_keeps_the_first_commit_and_tells_the_second_writer_of_its_writes) {
  open();
  auto queue = store_->make_queue();
  tiers_[0]->hold_writes = true;
  auto first = reserve(1, 1), second = reserve(1, 1);
  fill(first[0].reservation);
  std::ranges::fill(second[0].reservation.bytes(), std::byte{99});
  store_->commit(std::span(&first[0].reservation, 1));
  settle();
  store_->commit(std::span(&second[0].reservation, 1), {queue, 5});
  settle();
  std::array<Completion, 4> events;
  EXPECT_EQ(queue->poll(events), 0u);
  tiers_[0]->release_writes();
  settle();
  ASSERT_EQ(queue->poll(events), 2u);
  EXPECT_EQ(events[0].kind, EventKind::kWrite);
  EXPECT_EQ(events[1].kind, EventKind::kWriteBatch);
  EXPECT_EQ(tiers_[0]->records(), 1u);
  const auto blocks = store_->get(keys(1, 1));
  EXPECT_TRUE(right((*blocks)[0]));
}

TEST_F(StoreRules, S3_refuses_what_comes_over_the_bound_and_cancels_nothing_queued) {
  options_.store_bytes_in_flight = 3 * record::record_bytes(kBlock);
  open();
  tiers_[0]->hold_writes = true;
  auto queue = store_->make_queue();
  store_chain(1, 5, {}, {queue, 1});
  settle();
  EXPECT_EQ(store_->stats().tiers[1].drops[static_cast<size_t>(DropCause::kBacklog)], 2u);
  tiers_[0]->release_writes();
  settle();
  EXPECT_EQ(tiers_[0]->records(), 3u);
  EXPECT_EQ(store_->stats().writes_in_flight_bytes, 0u);
}

TEST_F(StoreRules, S3_drops_a_write_whose_parent_is_not_there) {
  open();
  tiers_[0]->unavailable = true;
  store_chain(1, 1);
  settle();
  tiers_[0]->unavailable = false;
  store_chain(2, 2, key(1));
  settle();
  EXPECT_EQ(tiers_[0]->records(), 0u);
  EXPECT_EQ(store_->stats().tiers[1].drops[static_cast<size_t>(DropCause::kParentDropped)], 2u);
  EXPECT_EQ(found(1, 3), 3u) << "L1 has them all the same";
}

TEST_F(StoreRules, S4_reports_each_write_and_the_batch_once_and_never_inside_the_call) {
  open(2);
  auto queue = store_->make_queue();
  tiers_[1]->fail_writes = true;
  store_chain(1, 3, {}, {queue, 42});
  std::array<Completion, 16> events;
  EXPECT_EQ(queue->poll(events), 0u);
  settle();
  ASSERT_EQ(queue->poll(events), 7u);
  size_t ok = 0, failed = 0;
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(events[i].kind, EventKind::kWrite);
    EXPECT_EQ(events[i].tag, 42u);
    ok += events[i].tier == 1 && events[i].status == WriteStatus::kOk;
    failed += events[i].tier == 2 && events[i].status == WriteStatus::kFailed;
  }
  EXPECT_EQ(ok, 3u);
  EXPECT_EQ(failed, 3u);
  EXPECT_EQ(events[6].kind, EventKind::kWriteBatch);
}

TEST_F(StoreRules, S4_reports_the_batch_even_when_nothing_was_to_be_written) {
  open(0);
  auto queue = store_->make_queue();
  store_chain(1, 1, {}, {queue, 1});
  std::array<Completion, 4> events;
  EXPECT_EQ(queue->poll(events), 0u);
  settle();
  ASSERT_EQ(queue->poll(events), 1u);
  EXPECT_EQ(events[0].kind, EventKind::kWriteBatch);
}

TEST_F(StoreRules, S7_put_copies_inside_the_call) {
  open();
  std::vector<std::byte> memory(2 * kBlock, byte_of(key(1)));
  std::fill(memory.begin() + kBlock, memory.end(), byte_of(key(2)));
  const auto region = store_->register_region(memory.data(), memory.size());
  const std::vector<BlockSpec> specs{{key(1), kBlock, {}, {}}, {key(2), kBlock, {}, {}}};
  const std::vector<RegionSlice> slices{{*region, 0, kBlock}, {*region, kBlock, kBlock}};
  const auto outcomes = store_->put({root_, {}, specs}, slices);
  ASSERT_TRUE(outcomes);
  EXPECT_TRUE(store_->unregister_region(*region)) << "the caller is free when the call returns";
  std::ranges::fill(memory, std::byte{0});
  settle();
  const auto blocks = store_->get(keys(1, 2));
  ASSERT_EQ(blocks->size(), 2u);
  EXPECT_TRUE(right((*blocks)[0]) && right((*blocks)[1]));
}

TEST_F(StoreRules, S1_reserve_wait_gives_a_part_back_and_sleeps_until_there_is_room) {
  open();
  auto held = reserve(1, 100);
  const auto begun = executor_.now();
  executor_.post_at(begun + std::chrono::seconds(1), [&] { held.clear(); });
  EXPECT_EQ(store_waiting(201, 50), 50u);
  EXPECT_EQ(executor_.now() - begun, std::chrono::seconds(1));
}

TEST_F(StoreRules, S1_reserve_wait_answers_with_a_part_at_its_deadline) {
  open();
  const auto held = reserve(1, 100);
  std::vector<BlockSpec> specs;
  for (const Key& k : keys(201, 50)) specs.push_back({k, kBlock, {}, {}});
  const auto begun = executor_.now();
  const auto answers = store_->reserve_wait({root_, {}, specs}, std::chrono::seconds(3));
  EXPECT_EQ(executor_.now() - begun, std::chrono::seconds(3));
  EXPECT_EQ((*answers)[0].outcome, ReserveOutcome::kBuffer);
  EXPECT_EQ(answers->back().outcome, ReserveOutcome::kNoRoom);
}

TEST_F(StoreRules, S1_reserve_wait_takes_the_credit_its_writes_need) {
  options_.store_bytes_in_flight = 4 * record::record_bytes(kBlock);
  open();
  for (int round = 0; round < 20; ++round) {
    std::vector<BlockSpec> specs;
    for (const Key& k : keys(1 + 4 * round, 4)) specs.push_back({k, kBlock, {}, {}});
    auto answers = store_->reserve_wait({root_, {}, specs}, std::chrono::seconds(60));
    ASSERT_TRUE(answers);
    std::vector<Reservation> filled;
    for (auto& answer : *answers) {
      ASSERT_EQ(answer.outcome, ReserveOutcome::kBuffer);
      fill(answer.reservation);
      filled.push_back(std::move(answer.reservation));
    }
    store_->commit(filled);
  }
  settle();
  EXPECT_EQ(tiers_[0]->records(), 80u) << "no commit was refused for the bound";
}

TEST_F(StoreRules, E1_evicts_leaves_before_their_parents_whatever_their_age) {
  open(0);
  store_chain(1, 64);
  store_chain(100, 64);  // L1 is full
  store_->get(keys(100, 64));
  store_chain(300, 30);  // makes the tail of the untouched chain leave
  EXPECT_EQ(found(1, 64), 34u);
  EXPECT_EQ(found(100, 64), 64u);
  EXPECT_EQ(reason(64), MissReason::kEvicted);
}

TEST_F(StoreRules, E1_noop_never_evicts) {
  options_.l1.eviction = "noop";
  open(0);
  EXPECT_EQ(store_chain(1, kL1Blocks), kL1Blocks);
  EXPECT_EQ(store_chain(200, 1), 0u);
  EXPECT_EQ(found(1, kL1Blocks), kL1Blocks);
}

TEST_F(StoreRules, E2_empties_the_coldest_segment_for_a_class_that_finds_no_room) {
  open(0);
  store_chain(1, kL1Blocks);
  EXPECT_EQ(store_chain(200, 1, {}, {}, 500000), 1u) << "another size class";
  EXPECT_EQ(store_->stats().tiers[0].evicted_segments, 1u);
  EXPECT_EQ(store_->stats().tiers[0].blocks, kL1Blocks - 32 + 1);
}

TEST_F(StoreRules, E2_the_background_pass_brings_usage_to_the_low_watermark) {
  options_.l1.high_watermark = 0.9;
  options_.l1.low_watermark = 0.5;
  open(0);
  store_chain(1, 127);
  settle();
  const auto stats = store_->stats();
  EXPECT_LE(stats.tiers[0].used_bytes, stats.tiers[0].capacity_bytes / 2);
  EXPECT_GT(stats.tiers[0].used_bytes, stats.tiers[0].capacity_bytes / 2 - 200000);
}

TEST_F(StoreRules, E3_never_evicts_leased_blocks_and_says_no_room_at_once) {
  open(0);
  store_chain(1, kL1Blocks);
  const auto blocks = store_->get(keys(1, kL1Blocks));
  ASSERT_EQ(blocks->size(), kL1Blocks);
  EXPECT_EQ(store_chain(200, 1), 0u);
  EXPECT_EQ(reason(200), MissReason::kNoRoom);
  for (const BlockView& view : blocks->views()) EXPECT_TRUE(right(view));
}

TEST_F(StoreRules, E2_evicts_in_a_tier_that_refuses_for_want_of_room) {
  open();
  tiers_[0]->records_max = 10;
  store_chain(1, 10);
  settle();
  store_chain(100, 4);
  settle();
  EXPECT_EQ(tiers_[0]->records(), 10u);
  EXPECT_EQ(store_->stats().tiers[1].evictions, 4u);
}

}  // namespace
}  // namespace terrace::store
