// Lookups and retrieves, Q1 to Q6 and R1 to R8; removal and closing, D1 and D3.
#include "store/testing/store_fixture.h"

namespace terrace::store {
namespace {

using testing::StoreTest;

class RetrieveRules : public StoreTest {
 protected:
  // Blocks first.. are in tier 1 only.
  void store_in_tier(int first, int count) {
    store_chain(first, count);
    settle();
    evict_l1();
    ASSERT_EQ(found(first, count), static_cast<size_t>(count));
    for (const TierMask where : places(keys(first, count))) ASSERT_EQ(where & 1, 0);
  }
};

TEST_F(RetrieveRules, Q1_answers_the_longest_prefix_with_places_and_one_reason_per_missing_key) {
  open();
  store_chain(1, 3);
  settle();
  const auto answer = store_->lookup(keys(1, 6));
  EXPECT_EQ(answer->found, 3u);
  EXPECT_EQ(answer->where, (std::vector<TierMask>{3, 3, 3}));
  EXPECT_EQ(answer->reasons,
            (std::vector{MissReason::kUnknown, MissReason::kBehindHole, MissReason::kBehindHole}));
}

TEST_F(RetrieveRules, Q2_a_pin_keeps_blocks_through_eviction_in_L1_and_in_the_tier) {
  open();
  store_in_tier(1, 2);
  store_chain(10, 2);
  settle();
  auto in_tier = store_->lookup(keys(1, 2), true);
  auto in_l1 = store_->lookup(keys(10, 2), true);
  tiers_[0]->records_max = 4;
  store_chain(50, 3);  // the tier may only take what is not pinned
  evict_l1();
  settle();
  EXPECT_EQ(found(1, 2), 2u);
  EXPECT_EQ(found(10, 2), 2u);
  in_tier.value().pin.release();
  in_l1.value().pin.release();
  EXPECT_EQ(store_->get(keys(1, 2))->size(), 2u);
}

TEST_F(RetrieveRules, Q3_a_block_is_in_a_tier_when_its_write_ended_well) {
  open();
  tiers_[0]->hold_writes = true;
  store_chain(1, 1);
  settle();
  EXPECT_EQ(store_->lookup(keys(1, 1))->where[0], 1) << "only L1";
  tiers_[0]->release_writes();
  settle();
  EXPECT_EQ(store_->lookup(keys(1, 1))->where[0], 3);
}

TEST_F(RetrieveRules, Q5_reasons_add_up_to_the_keys_not_delivered) {
  open();
  store_chain(1, 3);
  settle();
  store_->get(keys(1, 5));
  store_->get(keys(100, 2));
  const auto stats = store_->stats();
  uint64_t misses = 0;
  for (const uint64_t count : stats.misses) misses += count;
  EXPECT_EQ(stats.keys_asked, 7u);
  EXPECT_EQ(stats.keys_delivered, 3u);
  EXPECT_EQ(misses, 4u);
}

TEST_F(RetrieveRules, Q5_remembers_why_a_write_never_came_to_be) {
  open();
  tiers_[0]->fail_writes = true;
  store_chain(1, 1);
  settle();
  tiers_[0]->fail_writes = false;
  evict_l1();
  EXPECT_EQ(reason(1), MissReason::kWriteFailed);
}

TEST_F(RetrieveRules, Q6_a_hit_touches_and_an_unpinned_lookup_does_not) {
  open(0);
  store_chain(1, 64);
  store_chain(100, 64);
  EXPECT_EQ(found(1, 64), 64u);
  store_chain(300, 10);
  EXPECT_EQ(found(1, 64), 54u) << "the lookup did not make them younger";
}

TEST_F(RetrieveRules, R1_get_delivers_what_was_stored_from_L1_and_from_a_tier) {
  open();
  store_in_tier(1, 3);
  for (const auto source : {uint16_t{1}, uint16_t{0}}) {
    const auto blocks = store_->get(keys(1, 3));
    ASSERT_EQ(blocks->size(), 3u);
    for (const BlockView& view : blocks->views()) {
      EXPECT_TRUE(right(view));
      EXPECT_EQ(view.source, source);
      EXPECT_EQ(view.bytes.size(), kBlock);
    }
  }
}

TEST_F(RetrieveRules, R2_concurrent_loads_of_a_key_share_one_read) {
  open();
  store_in_tier(1, 2);
  tiers_[0]->hold_reads = true;
  auto first = store_->get_async(keys(1, 2), {.timeout = std::chrono::seconds(9)});
  auto second = store_->get_async(keys(1, 2), {.timeout = std::chrono::seconds(9)});
  settle();
  EXPECT_EQ(tiers_[0]->reads, 2u);
  tiers_[0]->release_reads();
  settle();
  EXPECT_EQ(first->take()->size(), 2u);
  EXPECT_EQ(second->take()->size(), 2u);
}

TEST_F(RetrieveRules, R3_blocks_behind_a_hole_are_released_not_kept_and_no_hits) {
  open();
  store_in_tier(1, 4);
  tiers_[0]->hold_reads = true;
  auto get = store_->get_async(keys(1, 4), {});
  settle();
  (*tiers_[0]->record(key(2)))[5000] ^= std::byte{1};
  tiers_[0]->release_reads();
  settle();
  auto blocks = get->take();
  ASSERT_TRUE(blocks);
  EXPECT_EQ(blocks->size(), 1u);
  EXPECT_EQ(blocks->reasons()[0], MissReason::kDamaged);
  EXPECT_EQ(blocks->reasons()[1], MissReason::kBehindHole);
  EXPECT_EQ(store_->lookup(keys(3, 1))->where[0], 2) << "not kept in L1";
  EXPECT_EQ(store_->stats().tiers[1].hits, 1u);
  EXPECT_EQ(store_->stats().private_bytes, 0u);
}

TEST_F(RetrieveRules, R4_keeps_what_was_loaded_on_every_path) {
  open();
  store_in_tier(1, 4);
  store_->get(keys(1, 1));
  auto async = store_->get_async(keys(1, 2), {});
  settle();
  auto ticket = store_->prefetch(keys(1, 3));
  settle();
  for (const TierMask where : places(keys(1, 3))) EXPECT_EQ(where, 3);
}

TEST_F(RetrieveRules, R4_does_not_keep_when_the_request_or_the_tier_says_so) {
  open();
  store_in_tier(1, 2);
  EXPECT_EQ(store_->get(keys(1, 1), {.timeout = kDefaultTimeout, .write_back = WriteBack::kNever})->size(),
            1u);
  EXPECT_EQ(store_->lookup(keys(1, 1))->where[0], 2);
  tiers_[0]->local_memory = true;
  EXPECT_EQ(store_->get(keys(1, 2))->size(), 2u);
  EXPECT_EQ(store_->lookup(keys(1, 1))->where[0], 2) << "local memory already";
  EXPECT_EQ(store_->stats().private_bytes, 0u);
}

TEST_F(RetrieveRules, R5_what_is_missing_at_the_deadline_is_a_miss_and_late_io_keeps_its_slot) {
  open();
  store_in_tier(1, 2);
  tiers_[0]->hold_reads = true;
  const auto blocks = store_->get(keys(1, 2), {.timeout = std::chrono::milliseconds(50)});
  EXPECT_EQ(blocks->size(), 0u);
  EXPECT_EQ(blocks->reasons()[0], MissReason::kDeadline);
  EXPECT_GT(store_->stats().private_bytes, 0u) << "the device may still write there";
  EXPECT_EQ(tiers_[0]->cancels, 2u);
  tiers_[0]->release_reads();
  settle();
  EXPECT_EQ(store_->stats().private_bytes, 0u);
}

class IntoRules : public RetrieveRules {
 protected:
  // Page-aligned caller memory for `count` blocks.
  std::vector<RegionSlice> region(int count) {
    const uint64_t stride = base::round_up(kBlock, base::kPage);
    memory_.reset(static_cast<std::byte*>(std::aligned_alloc(base::kPage, count * stride)));
    region_ = *store_->register_region(memory_.get(), count * stride);
    std::vector<RegionSlice> slices;
    for (int i = 0; i < count; ++i) slices.push_back({region_, i * stride, kBlock});
    return slices;
  }
  bool delivered(const RegionSlice& slice, int n) {
    const std::span bytes(memory_.get() + slice.offset, slice.bytes);
    return std::ranges::all_of(bytes, [&](std::byte b) { return b == byte_of(key(n)); });
  }
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  std::unique_ptr<std::byte, Free> memory_;
  RegionId region_ = 0;
};

TEST_F(IntoRules, R5_reads_straight_into_caller_memory_when_nothing_is_kept) {
  open();
  store_in_tier(1, 3);
  const auto slices = region(3);
  auto queue = store_->make_queue();
  auto into = store_->get_into(keys(1, 3), slices,
                               {.timeout = kDefaultTimeout, .write_back = WriteBack::kNever}, {queue, 8});
  ASSERT_TRUE(into);
  settle();
  ASSERT_TRUE(into->released());
  EXPECT_EQ(into->result().delivered, 3u);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(delivered(slices[static_cast<size_t>(i)], 1 + i));
  std::array<Completion, 4> events;
  ASSERT_EQ(queue->poll(events), 2u);
  EXPECT_EQ(events[0].kind, EventKind::kResult);
  EXPECT_EQ(events[1].kind, EventKind::kReleased);
  EXPECT_TRUE(store_->unregister_region(region_));
}

TEST_F(IntoRules, R4_get_into_copies_and_keeps_when_write_back_keeps_the_block) {
  open();
  store_in_tier(1, 2);
  const auto slices = region(2);
  auto into = store_->get_into(keys(1, 2), slices);
  settle();
  EXPECT_EQ(into->result().delivered, 2u);
  EXPECT_TRUE(delivered(slices[1], 2));
  EXPECT_EQ(store_->lookup(keys(1, 2))->where[1], 3);
}

TEST_F(IntoRules, R5_memory_is_busy_until_released_even_after_the_result) {
  open();
  store_in_tier(1, 1);
  const auto slices = region(1);
  tiers_[0]->hold_reads = true;
  auto into = store_->get_into(keys(1, 1), slices,
                               {.timeout = std::chrono::milliseconds(10), .write_back = WriteBack::kNever});
  executor_.run_for(std::chrono::milliseconds(20));
  EXPECT_TRUE(into->ready());
  EXPECT_FALSE(into->released());
  EXPECT_EQ(into->result().reasons[0], MissReason::kDeadline);
  EXPECT_EQ(store_->unregister_region(region_).error().code, Code::kBusy);
  tiers_[0]->release_reads();
  settle();
  EXPECT_TRUE(into->released());
  EXPECT_TRUE(store_->unregister_region(region_));
}

TEST_F(IntoRules, R6_damage_is_a_miss_and_the_record_is_removed) {
  open();
  store_in_tier(1, 2);
  (*tiers_[0]->record(key(1)))[9000] ^= std::byte{4};
  const auto slices = region(1);
  auto into =
      store_->get_into(keys(1, 1), slices, {.timeout = kDefaultTimeout, .write_back = WriteBack::kNever});
  settle();
  EXPECT_EQ(into->result().delivered, 0u);
  EXPECT_EQ(into->result().reasons[0], MissReason::kDamaged);
  EXPECT_EQ(tiers_[0]->record(key(1)), nullptr);
  EXPECT_EQ(reason(1), MissReason::kDamaged);
}

TEST_F(RetrieveRules, R6_damage_found_by_get_is_a_miss_and_can_be_stored_again) {
  open();
  store_in_tier(1, 2);
  (*tiers_[0]->record(key(2))).back() ^= std::byte{0};  // padding is not the block's
  (*tiers_[0]->record(key(2)))[4096] ^= std::byte{8};
  EXPECT_EQ(store_->get(keys(1, 2))->size(), 1u);
  settle();
  EXPECT_EQ(store_->stats().tiers[1].verification_failures, 1u);
  EXPECT_EQ(store_chain(2, 1, key(1)), 1u);
  settle();
  EXPECT_EQ(store_->get(keys(1, 2))->size(), 2u);
}

TEST_F(RetrieveRules, R7_a_ticket_leases_what_arrived_until_a_get_takes_it) {
  open();
  store_in_tier(1, 3);
  auto ticket = store_->prefetch(keys(1, 3), {.policy = PrefetchPolicy::kTemporary});
  settle();
  EXPECT_TRUE(ticket->progress().ended);
  EXPECT_EQ(ticket->progress().arrived, 3u);
  EXPECT_EQ(store_->lookup(keys(1, 3))->where[0], 3);
  {
    const auto blocks = store_->get(keys(1, 1));
    EXPECT_EQ((*blocks)[0].source, 0);
  }
  EXPECT_EQ(store_->lookup(keys(1, 1))->where[0], 2) << "temporary: gone with the last lease";
  ticket->release();
  EXPECT_EQ(store_->lookup(keys(2, 1))->where[0], 2);
}

TEST_F(RetrieveRules, R7_hold_ends_by_itself) {
  options_.prefetch_hold = std::chrono::seconds(3);
  open();
  store_in_tier(1, 1);
  auto ticket = store_->prefetch(keys(1, 1), {.policy = PrefetchPolicy::kTemporary});
  settle();
  EXPECT_EQ(store_->lookup(keys(1, 1))->where[0], 3);
  executor_.run_for(std::chrono::seconds(4));
  EXPECT_EQ(store_->lookup(keys(1, 1))->where[0], 2);
}

TEST_F(RetrieveRules, R7_bytes_in_flight_are_bounded_and_requests_wait_in_order) {
  options_.prefetch_bytes_in_flight = 2 * kBlock;
  open();
  store_in_tier(1, 10);
  tiers_[0]->hold_reads = true;
  auto first = store_->prefetch(keys(1, 5));
  auto second = store_->prefetch(keys(6, 5));
  settle();
  EXPECT_EQ(tiers_[0]->held_reads(), 2u);
  for (int round = 0; round < 5; ++round) {
    tiers_[0]->release_reads();
    settle();
    EXPECT_LE(tiers_[0]->held_reads(), 2u);
  }
  EXPECT_EQ(first->progress().arrived, 5u);
  EXPECT_EQ(second->progress().arrived, 5u);
}

TEST_F(RetrieveRules, R7_a_cancelled_prefetch_releases_everything) {
  open();
  store_in_tier(1, 4);
  tiers_[0]->hold_reads = true;
  {
    auto ticket = store_->prefetch(keys(1, 4));
    settle();
  }
  EXPECT_EQ(tiers_[0]->cancels, 4u);
  tiers_[0]->release_reads();
  settle();
  EXPECT_EQ(store_->stats().private_bytes, 0u);
  EXPECT_EQ(store_->lookup(keys(1, 1))->where[0], 2);
}

TEST_F(RetrieveRules, R8_a_shorter_prefix_is_a_success) {
  open();
  store_chain(1, 2);
  const auto blocks = store_->get(keys(1, 9));
  ASSERT_TRUE(blocks);
  EXPECT_EQ(blocks->size(), 2u);
  EXPECT_EQ(blocks->reasons().size(), 7u);
}

TEST_F(RetrieveRules, P3_leased_bytes_outlive_removal_eviction_and_the_store) {
  open();
  store_chain(1, 2);
  settle();
  auto blocks = store_->get(keys(1, 2));
  EXPECT_EQ(*store_->remove(keys(1, 2)), 2u);
  evict_l1();
  store_.reset();
  manager_.reset();
  tiers_.clear();  // gone with the store's last handle
  EXPECT_TRUE(right((*blocks)[0]) && right((*blocks)[1]));
  blocks->release();
  settle();
}

TEST_F(RetrieveRules, D1_removed_blocks_are_gone_from_every_tier) {
  open();
  store_chain(1, 3);
  settle();
  EXPECT_EQ(*store_->remove(keys(2, 1)), 1u);
  EXPECT_EQ(found(1, 3), 1u);
  EXPECT_EQ(reason(2), MissReason::kRemoved);
  EXPECT_EQ(tiers_[0]->records(), 2u);
}

TEST_F(RetrieveRules, D1_a_write_begun_before_the_removal_does_not_publish) {
  open();
  tiers_[0]->hold_writes = true;
  store_chain(1, 1);
  settle();
  executor_.post_at(executor_.now() + std::chrono::milliseconds(5), [this] { tiers_[0]->release_writes(); });
  EXPECT_TRUE(store_->remove(keys(1, 1)));
  EXPECT_EQ(found(1, 1), 0u);
  EXPECT_EQ(tiers_[0]->records(), 0u);
}

TEST_F(RetrieveRules, D1_a_load_begun_before_the_removal_is_not_kept) {
  open();
  store_in_tier(1, 1);
  tiers_[0]->hold_reads = true;
  auto get = store_->get_async(keys(1, 1), {});
  settle();
  EXPECT_TRUE(store_->remove(keys(1, 1)));
  tiers_[0]->release_reads();
  settle();
  EXPECT_EQ(found(1, 1), 0u);
}

TEST_F(RetrieveRules, D1_clear_takes_one_namespace) {
  open();
  const auto a = store_->open_namespace({.model_id = "a"});
  root_ = *a;
  store_chain(1, 2);
  root_ = *store_->open_namespace({.model_id = "b", .tenant_salt = "secret"});
  store_chain(10, 2);
  settle();
  EXPECT_EQ(*store_->clear({.root = *a}), 2u);
  EXPECT_EQ(found(1, 1), 0u);
  EXPECT_EQ(found(10, 2), 2u);
  EXPECT_EQ(*store_->clear({.tenant_salt = "secret", .erase = true}), 2u);
  EXPECT_EQ(found(10, 2), 0u);
}

TEST_F(RetrieveRules, D3_close_refuses_new_work_and_says_what_it_abandoned) {
  open();
  tiers_[0]->hold_writes = true;
  store_chain(1, 2);
  settle();
  EXPECT_EQ(*store_->close(std::chrono::milliseconds(100)), 2u);
  EXPECT_EQ(store_->reserve({root_, {}, {}}).error().code, Code::kClosed);
  EXPECT_EQ(store_->get(keys(1, 1)).error().code, Code::kClosed);
}

TEST_F(RetrieveRules, recovery_makes_blocks_known_and_their_order_of_use_counts) {
  open();
  std::vector<tier::FoundBlock> blocks(2);
  blocks[0].meta.key = key(1);
  blocks[0].meta.payload_bytes = kBlock;
  blocks[0].where.place = 900;
  blocks[1].meta.key = key(2);
  blocks[1].meta.parent = key(1);
  blocks[1].meta.payload_bytes = kBlock;
  blocks[1].where.place = 901;
  EXPECT_TRUE(tiers_[0]->listener().found(blocks).empty());
  EXPECT_EQ(found(1, 2), 2u);
  EXPECT_EQ(tiers_[0]->listener().found(blocks).size(), 2u) << "known already";
  tiers_[0]->listener().gone(key(2), 901);
  EXPECT_EQ(found(1, 2), 1u);
  EXPECT_EQ(reason(2), MissReason::kDeviceError);
}

}  // namespace
}  // namespace terrace::store
