// L1 modes, M1 to M5, and put from caller memory in each (S7).
#include <cstdlib>
#include <set>

#include "store/testing/store_fixture.h"

namespace terrace::store {
namespace {

using testing::StoreTest;

class ModeRules : public StoreTest {
 protected:
  void open_mode(L1Mode mode, size_t tiers = 1, const char* policy = "write_through") {
    options_.l1.mode = mode;
    options_.tiers.resize(tiers);
    for (size_t i = 0; i < tiers; ++i) {
      options_.tiers[i].kind = TierOptions::Kind::kMock;
      options_.tiers[i].name = "tier" + std::to_string(i + 1);
      options_.tiers[i].store_policy = policy;
    }
    open(tiers);
    queue_ = store_->make_queue();
  }
  uint64_t l1_bytes() const { return store_->stats().tiers[0].used_bytes; }
  std::vector<Completion> events() {
    settle();
    std::vector<Completion> all(1000);
    all.resize(queue_->poll(all));
    return all;
  }
  static size_t count(const std::vector<Completion>& events, EventKind kind) {
    return static_cast<size_t>(std::ranges::count(events, kind, &Completion::kind));
  }
  // Page-aligned memory of the caller, registered, one block behind the other.
  struct Pool {
    static constexpr uint64_t kStride = 61440;
    std::unique_ptr<std::byte, void (*)(void*)> bytes{nullptr, std::free};
    RegionId region = 0;
    std::vector<RegionSlice> slices(size_t count, uint64_t shift = 0, uint64_t bytes_each = kBlock) const {
      std::vector<RegionSlice> all;
      for (size_t i = 0; i < count; ++i) all.push_back({region, i * kStride + shift, bytes_each});
      return all;
    }
    std::span<std::byte> block(size_t i) const { return {bytes.get() + i * kStride, kBlock}; }
  };
  Pool pool(size_t blocks) {
    Pool pool;
    const size_t size = (blocks + 1) * Pool::kStride;
    pool.bytes.reset(static_cast<std::byte*>(std::aligned_alloc(4096, size)));
    std::memset(pool.bytes.get(), 0, size);
    pool.region = store_->register_region(pool.bytes.get(), size).value();
    return pool;
  }
  std::vector<ReserveOutcome> put(const Pool& from, int first, int count, uint64_t shift = 0) {
    std::vector<BlockSpec> specs;
    for (const Key& k : keys(first, count)) specs.push_back({k, kBlock, {}, {}});
    for (size_t i = 0; i < specs.size(); ++i) {
      std::memset(from.block(i).data() + shift, static_cast<int>(byte_of(specs[i].key)), kBlock);
    }
    auto answers = store_->put({root_, {}, specs}, from.slices(specs.size(), shift), {queue_, 5});
    EXPECT_TRUE(answers) << to_string(answers.error());
    return answers ? *answers : std::vector<ReserveOutcome>{};
  }
  std::shared_ptr<CompletionQueue> queue_;
};

// A caller names the parent only the second time; until then the block is the head of a chain.
TEST_F(ModeRules, M4_a_parent_named_while_the_block_is_on_its_way_counts_once) {
  open();
  tiers_[0]->hold_writes = true;
  ASSERT_TRUE(store_->set_l1_mode(L1Mode::kStaging));
  store_chain(2, 1);
  settle();
  ASSERT_TRUE(store_->set_l1_mode(L1Mode::kCache));
  store_chain(2, 1, key(1));
  settle();
  tiers_[0]->release_writes();
  settle();
  EXPECT_EQ(*store_->remove(keys(2, 1)), 1u);
  EXPECT_EQ(found(2, 1), 0u);
}

TEST_F(ModeRules, M2_staging_answers_no_lookup_from_L1_and_ends_at_zero) {
  open_mode(L1Mode::kStaging, 2);
  tiers_[0]->hold_writes = tiers_[1]->hold_writes = true;
  store_chain(1, 4, {}, {queue_, 1});
  settle();
  EXPECT_EQ(found(1, 4), 0u);
  EXPECT_EQ(reason(1), MissReason::kInFlight);
  EXPECT_GT(l1_bytes(), 0u);
  tiers_[1]->release_writes();
  settle();
  EXPECT_EQ(places(keys(1, 4)), std::vector<TierMask>(4, tier_bit(2)));  // Q3: where the write ended
  EXPECT_GT(l1_bytes(), 0u);
  tiers_[0]->release_writes();
  settle();
  EXPECT_EQ(places(keys(1, 4)), std::vector<TierMask>(4, tier_bit(1) | tier_bit(2)));
  EXPECT_EQ(l1_bytes(), 0u);
  const auto all = events();
  EXPECT_EQ(count(all, EventKind::kWrite), 8u);  // S4: per key and tier, and once per batch
  EXPECT_EQ(count(all, EventKind::kWriteBatch), 1u);
}

TEST_F(ModeRules, S1_staging_answers_present_from_L2_and_in_flight_while_a_write_runs) {
  open_mode(L1Mode::kStaging);
  tiers_[0]->hold_writes = true;
  const auto open_reservation = reserve(9, 1);
  EXPECT_EQ(reserve(9, 1)[0].outcome, ReserveOutcome::kBuffer);  // only in another's reservation
  store_chain(1, 1);
  EXPECT_EQ(reserve(1, 1)[0].outcome, ReserveOutcome::kInFlight);
  settle();
  EXPECT_EQ(reserve(1, 1)[0].outcome, ReserveOutcome::kInFlight);
  tiers_[0]->release_writes();
  settle();
  EXPECT_EQ(reserve(1, 1)[0].outcome, ReserveOutcome::kPresent);
}

TEST_F(ModeRules, S1_staging_half_of_L1_is_on_its_way_at_once_headers_not_counted) {
  options_.l1.budget = 32 << 20;
  options_.l1.largest_block = 4 << 20;
  open_mode(L1Mode::kStaging);
  tiers_[0]->hold_writes = true;
  const auto reserve_in_time = [&](int n) {
    const BlockSpec spec{key(n), 4 << 20, {}, {}};
    auto answers = store_->reserve_wait({root_, {}, std::span(&spec, 1)}, Timeout(0));
    return answers && answers->size() == 1 && (*answers)[0].reservation &&
           store_->commit(std::span(&(*answers)[0].reservation, 1), {queue_, 1});
  };
  for (int n = 1; n <= 4; ++n) EXPECT_TRUE(reserve_in_time(n)) << n;
  EXPECT_FALSE(reserve_in_time(5));
  settle();
  EXPECT_FALSE(reserve_in_time(5));
  tiers_[0]->release_writes();
  settle();
  EXPECT_TRUE(reserve_in_time(5));
  settle();
  EXPECT_EQ(places(keys(1, 4)), std::vector<TierMask>(4, tier_bit(1)));
}

TEST_F(ModeRules, S2_staging_a_second_commit_of_a_key_joins_the_first_ones_write) {
  open_mode(L1Mode::kStaging);
  auto first = reserve(1, 1), second = reserve(1, 1);
  fill(first[0].reservation);
  fill(second[0].reservation);
  ASSERT_TRUE(store_->commit(std::span(&first[0].reservation, 1), {queue_, 1}));
  ASSERT_TRUE(store_->commit(std::span(&second[0].reservation, 1), {queue_, 2}));
  const auto all = events();
  EXPECT_EQ(tiers_[0]->writes, 1u);
  EXPECT_EQ(count(all, EventKind::kWrite), 2u);
  EXPECT_EQ(count(all, EventKind::kWriteBatch), 2u);
  EXPECT_EQ(l1_bytes(), 0u);
}

TEST_F(ModeRules, M2_nothing_retrieved_is_kept_on_any_path_and_a_lease_keeps_its_buffer) {
  open_mode(L1Mode::kStaging);
  store_chain(1, 3);
  settle();
  {
    const auto got = store_->get(keys(1, 3));
    ASSERT_EQ(got->size(), 3u);
    EXPECT_TRUE(right((*got)[2]));
    EXPECT_EQ((*got)[0].source, 1);
    EXPECT_GT(l1_bytes(), 0u);
    EXPECT_EQ(places(keys(1, 3))[0], tier_bit(1));
  }
  EXPECT_EQ(l1_bytes(), 0u);
  auto running = store_->get_async(
      keys(1, 3), {.timeout = kDefaultTimeout, .write_back = WriteBack::kAlways, .ticket = nullptr},
      {queue_, 1});
  settle();
  EXPECT_EQ(running->take()->size(), 3u);
  EXPECT_EQ(l1_bytes(), 0u);
  const Pool to = pool(3);
  auto into = store_->get_into(keys(1, 3), to.slices(3), {}, {queue_, 2});
  settle();
  EXPECT_EQ(into->result().delivered, 3u);
  EXPECT_EQ(to.block(1)[7], byte_of(key(2)));
  EXPECT_EQ(l1_bytes(), 0u);
  EXPECT_EQ(tiers_[0]->reads, 9u);
}

TEST_F(ModeRules, M2_a_prefetched_block_is_visible_only_to_its_tickets_owner) {
  open_mode(L1Mode::kStaging);
  store_chain(1, 3);
  settle();
  auto ticket = store_->prefetch(keys(1, 3));
  settle();
  ASSERT_EQ(ticket->progress().arrived, 3u);
  const auto reads = tiers_[0]->reads;
  EXPECT_EQ(places(keys(1, 3))[0], tier_bit(1));
  {
    const auto stranger = store_->get(keys(1, 1));
    EXPECT_EQ((*stranger)[0].source, 1);
    EXPECT_EQ(tiers_[0]->reads, reads + 1);
  }
  {
    const auto owner =
        store_->get(keys(1, 3), {.timeout = kDefaultTimeout, .write_back = {}, .ticket = &*ticket});
    ASSERT_EQ(owner->size(), 3u);
    EXPECT_EQ((*owner)[2].source, 0);
    EXPECT_TRUE(right((*owner)[1]));
    EXPECT_EQ(tiers_[0]->reads, reads + 1);
  }
  EXPECT_EQ(l1_bytes(), 0u);
}

TEST_F(ModeRules, D1_a_ticket_answers_nothing_that_was_removed_after_it_arrived) {
  open_mode(L1Mode::kStaging);
  store_chain(1, 1);
  settle();
  auto ticket = store_->prefetch(keys(1, 1));
  settle();
  ASSERT_TRUE(store_->remove(keys(1, 1)));
  const auto got =
      store_->get(keys(1, 1), {.timeout = kDefaultTimeout, .write_back = {}, .ticket = &*ticket});
  EXPECT_EQ(got->size(), 0u);
  EXPECT_EQ(got->reasons()[0], MissReason::kRemoved);
}

TEST_F(ModeRules, D1_clear_reaches_what_only_a_ticket_holds) {
  open_mode(L1Mode::kStaging);
  store_chain(1, 1);
  settle();
  auto ticket = store_->prefetch(keys(1, 1));
  settle();
  tiers_[0]->listener().gone(key(1), 1);  // the tier lost it meanwhile
  ClearScope scope;
  scope.root = root_;
  ASSERT_TRUE(store_->clear(scope));
  const auto got =
      store_->get(keys(1, 1), {.timeout = kDefaultTimeout, .write_back = {}, .ticket = &*ticket});
  EXPECT_EQ(got->size(), 0u);
}

TEST_F(ModeRules, M2_a_ticket_that_goes_gives_its_buffers_back) {
  open_mode(L1Mode::kStaging);
  store_chain(1, 3);
  settle();
  {
    auto ticket = store_->prefetch(keys(1, 3));
    settle();
    EXPECT_GT(l1_bytes(), 0u);
  }
  EXPECT_EQ(l1_bytes(), 0u);
  auto held = store_->prefetch(keys(1, 3));
  settle();
  executor_.run_for(options_.prefetch_hold + std::chrono::seconds(1));
  EXPECT_EQ(l1_bytes(), 0u);
}

TEST_F(ModeRules, M2_a_failed_or_dropped_write_leaks_nothing_and_says_why) {
  open_mode(L1Mode::kStaging);
  tiers_[0]->fail_writes = true;
  store_chain(1, 1);
  settle();
  EXPECT_EQ(l1_bytes(), 0u);
  EXPECT_EQ(reason(1), MissReason::kWriteFailed);
  tiers_[0]->fail_writes = false;
  tiers_[0]->unavailable = true;
  store_chain(2, 1);
  settle();
  EXPECT_EQ(l1_bytes(), 0u);
  EXPECT_EQ(reason(2), MissReason::kDropped);
  {
    const auto aborted = reserve(3, 2);
  }
  EXPECT_EQ(l1_bytes(), 0u);
}

TEST_F(ModeRules, D1_staging_removes_what_is_committed_and_not_yet_written) {
  open_mode(L1Mode::kStaging);
  store_chain(1, 2, {}, {queue_, 1});
  ASSERT_TRUE(store_->remove(keys(1, 2)));
  settle();
  EXPECT_EQ(found(1, 2), 0u);
  EXPECT_EQ(reason(1), MissReason::kRemoved);
  EXPECT_EQ(l1_bytes(), 0u);
  EXPECT_EQ(count(events(), EventKind::kWriteBatch), 1u);
}

TEST_F(ModeRules, S7_staging_writes_straight_from_the_callers_pages) {
  open_mode(L1Mode::kStaging, 2);
  tiers_[0]->hold_writes = tiers_[1]->hold_writes = true;
  const Pool from = pool(3);
  EXPECT_EQ(put(from, 1, 3), std::vector<ReserveOutcome>(3, ReserveOutcome::kAccepted));
  settle();
  EXPECT_EQ(l1_bytes(), 0u);
  EXPECT_EQ(reason(1), MissReason::kInFlight);
  EXPECT_EQ(put(from, 1, 1)[0], ReserveOutcome::kInFlight);
  tiers_[0]->release_writes();
  settle();
  EXPECT_EQ(count(events(), EventKind::kReleased), 0u);
  EXPECT_EQ(store_->unregister_region(from.region).error().code, Code::kBusy);
  tiers_[1]->release_writes();
  const auto all = events();
  EXPECT_EQ(count(all, EventKind::kReleased), 3u);  // once a key, after its last write
  std::set<Key> released;
  for (const Completion& event : all) {
    if (event.kind == EventKind::kReleased) released.insert(event.key);
  }
  EXPECT_EQ(released.size(), 3u);
  EXPECT_TRUE(store_->unregister_region(from.region));
  const auto got = store_->get(keys(1, 3));
  ASSERT_EQ(got->size(), 3u);
  EXPECT_TRUE(right((*got)[0]) && right((*got)[2]));
}

TEST_F(ModeRules, S7_releases_the_callers_memory_when_the_write_is_dropped) {
  open_mode(L1Mode::kOff);
  tiers_[0]->unavailable = true;
  const Pool from = pool(1);
  EXPECT_EQ(put(from, 1, 1)[0], ReserveOutcome::kAccepted);
  const auto all = events();
  EXPECT_EQ(count(all, EventKind::kReleased), 1u);
  EXPECT_EQ(count(all, EventKind::kWriteBatch), 1u);
  EXPECT_TRUE(store_->unregister_region(from.region));
}

TEST_F(ModeRules, S7_staging_copies_what_does_not_begin_at_a_page) {
  open_mode(L1Mode::kStaging);
  const Pool from = pool(1);
  EXPECT_EQ(put(from, 1, 1, 100)[0], ReserveOutcome::kBuffer);
  settle();
  EXPECT_TRUE(right((*store_->get(keys(1, 1)))[0]));
  EXPECT_EQ(l1_bytes(), 0u);
}

TEST_F(ModeRules, M3_off_moves_bytes_between_caller_memory_and_the_tiers) {
  open_mode(L1Mode::kOff);
  EXPECT_EQ(store_->stats().tiers[0].capacity_bytes, 0u);
  const Pool from = pool(3);
  EXPECT_EQ(put(from, 1, 3), std::vector<ReserveOutcome>(3, ReserveOutcome::kAccepted));
  settle();
  EXPECT_EQ(found(1, 3), 3u);
  EXPECT_EQ(put(from, 1, 1)[0], ReserveOutcome::kPresent);
  const Pool to = pool(3);
  auto into = store_->get_into(keys(1, 3), to.slices(3), {}, {queue_, 2});
  settle();
  ASSERT_EQ(into->result().delivered, 3u);
  EXPECT_EQ(to.block(2)[kBlock - 1], byte_of(key(3)));
}

TEST_F(ModeRules, M3_off_refuses_what_needs_an_arena) {
  open_mode(L1Mode::kOff);
  const std::vector<BlockSpec> specs{{key(1), kBlock, {}, {}}};
  EXPECT_EQ(store_->reserve({root_, {}, specs}).error().code, Code::kNoArena);
  EXPECT_EQ(store_->reserve_wait({root_, {}, specs}, Timeout(0)).error().code, Code::kNoArena);
  EXPECT_EQ(store_->get(keys(1, 1)).error().code, Code::kNoArena);
  EXPECT_EQ(store_->get_async(keys(1, 1), {}).error().code, Code::kNoArena);
  EXPECT_EQ(store_->prefetch(keys(1, 1)).error().code, Code::kNoArena);
  const Pool from = pool(1);
  EXPECT_EQ(store_->put({root_, {}, specs}, from.slices(1, 8)).error().code, Code::kInvalidArgument);
}

TEST_F(ModeRules, M4_entering_staging_releases_L1_and_leaving_it_fills_it_again) {
  open_mode(L1Mode::kCache);
  store_chain(1, 3);
  settle();
  ASSERT_EQ(places(keys(1, 3))[0], tier_bit(0) | tier_bit(1));
  EXPECT_EQ(store_->set_l1_mode(L1Mode::kStaging).value(), 0u);
  EXPECT_EQ(l1_bytes(), 0u);
  EXPECT_EQ(places(keys(1, 3))[0], tier_bit(1));
  ASSERT_TRUE(store_->set_l1_mode(L1Mode::kCache));
  EXPECT_EQ(store_->get(keys(1, 3))->size(), 3u);
  EXPECT_EQ(places(keys(1, 3))[0], tier_bit(0) | tier_bit(1));
}

TEST_F(ModeRules, M4_what_is_leased_or_being_written_goes_with_its_last_user) {
  open_mode(L1Mode::kCache);
  tiers_[0]->hold_writes = true;
  store_chain(1, 1);
  store_chain(2, 1);
  settle();
  {
    const auto leased = store_->get(keys(2, 1));
    EXPECT_GT(store_->set_l1_mode(L1Mode::kStaging).value(), 0u);
    EXPECT_EQ(found(1, 1), 0u);
    EXPECT_EQ(reason(1), MissReason::kInFlight);
    EXPECT_EQ(reserve(1, 1)[0].outcome, ReserveOutcome::kInFlight);
    tiers_[0]->release_writes();
    settle();
    EXPECT_GT(l1_bytes(), 0u);
    EXPECT_TRUE(right((*leased)[0]));
  }
  EXPECT_EQ(l1_bytes(), 0u);
  EXPECT_EQ(found(1, 2), 2u);
}

TEST_F(ModeRules, Q2_a_pin_outlives_the_change_of_mode) {
  open_mode(L1Mode::kCache);
  tiers_[0]->unavailable = true;  // only L1 has it
  store_chain(1, 1);
  settle();
  auto pinned = store_->lookup(keys(1, 1), true);
  ASSERT_EQ(pinned->found, 1u);
  ASSERT_TRUE(store_->set_l1_mode(L1Mode::kStaging));
  EXPECT_EQ(found(1, 1), 0u);
  EXPECT_EQ(store_->get(keys(1, 1))->size(), 1u);
  pinned->pin.release();
  EXPECT_EQ(l1_bytes(), 0u);
  EXPECT_EQ(store_->get(keys(1, 1))->size(), 0u);
}

TEST_F(ModeRules, M4_refuses_off_and_policies_that_lose_blocks) {
  open_mode(L1Mode::kCache, 1, "on_evict");
  EXPECT_EQ(store_->set_l1_mode(L1Mode::kStaging).error().code, Code::kInvalidArgument);
  EXPECT_EQ(store_->set_l1_mode(L1Mode::kOff).error().code, Code::kInvalidArgument);
}

TEST_F(ModeRules, M2_an_L1_smaller_than_what_is_stored_lets_it_pass_through) {
  open_mode(L1Mode::kStaging);
  uint64_t most = 0;
  for (int first = 1; first < 1000; first += 50) {
    ASSERT_EQ(store_waiting(first, 50, first == 1 ? Key{} : key(first - 1),
                            [&] { most = std::max(most, l1_bytes()); }),
              50u);
  }
  settle();
  EXPECT_LE(most, options_.l1.budget);
  EXPECT_EQ(l1_bytes(), 0u);
  EXPECT_EQ(found(1, 1000), 1000u);
}

}  // namespace
}  // namespace terrace::store
