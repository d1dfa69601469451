// L1 shared with other processes (decision 5): whose memory a reservation stands in, and who reads where.
#include <atomic>
#include <set>

#include "memory/mapping.h"
#include "store/testing/store_fixture.h"

namespace terrace::store {
namespace {

using testing::StoreTest;

class OwnerRules : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    segments_ = [] { return memory::shared_segments(); };
    options_.l1.budget = 8 << 20;  // four segments of 2 MiB
  }
  // A chain of blocks from a client's process: what it filled in its own mapping is committed.
  size_t store_as(memory::SlotOwner owner, int first, int count) {
    std::vector<BlockSpec> specs;
    for (const Key& k : keys(first, count)) specs.push_back({k, kBlock, {}, {}});
    auto answers = manager_->reserve({root_, {}, specs}, owner);
    if (!answers) return 0;
    std::vector<Reservation> filled;
    const auto places = manager_->places_of(*answers);
    for (auto& answer : *answers) {
      if (!answer.reservation) continue;
      const auto& [place, memory] = places[filled.size()];
      const auto mapping = memory::Mapping::shared(memory.fd, memory.bytes, true);
      if (!mapping) continue;
      EXPECT_EQ(place.bytes, kBlock);
      std::ranges::fill(mapping->bytes().subspan(place.offset, place.bytes),
                        byte_of(answer.reservation.key()));
      filled.push_back(std::move(answer.reservation));
    }
    EXPECT_TRUE(store_->commit(filled));
    return filled.size();
  }
};

TEST_F(OwnerRules, what_a_client_wrote_in_its_mapping_is_read_in_others) {
  open();
  ASSERT_EQ(store_as(1, 1, 3), 3u);
  settle();
  const auto blocks = store_->get(keys(1, 3));
  ASSERT_EQ(blocks->size(), 3u);
  const auto places = manager_->places_of(*blocks);
  ASSERT_TRUE(places);
  for (size_t i = 0; i < 3; ++i) {
    const auto& [place, memory] = (*places)[i];
    const auto mapping = memory::Mapping::shared(memory.fd, memory.bytes, false);
    ASSERT_TRUE(mapping);
    const auto bytes = mapping->bytes().subspan(place.offset, place.bytes);
    EXPECT_TRUE(std::ranges::equal(bytes, (*blocks)[i].bytes));
    EXPECT_TRUE(right({key(1 + static_cast<int>(i)), bytes}));
    EXPECT_EQ(memory::Mapping::shared(memory.fd, memory.bytes, true).error().code, Code::kPermission)
        << "sealed before a reader gets it";
  }
}

TEST_F(OwnerRules, two_clients_and_the_stores_own_loads_never_share_a_segment) {
  open();
  ASSERT_EQ(store_as(1, 1, 1), 1u);
  ASSERT_EQ(store_as(2, 11, 1), 1u);
  store_chain(21, 1);
  settle();
  std::set<uint64_t> memories;
  for (const int n : {1, 11, 21}) {
    const auto blocks = store_->get(keys(n, 1));
    memories.insert((*manager_->places_of(*blocks))[0].first.memory);
  }
  EXPECT_EQ(memories.size(), 3u);
}

TEST_F(OwnerRules, a_record_is_sealed_in_a_header_the_client_cannot_reach) {
  open();
  tiers_[0]->hold_writes = true;
  std::vector<BlockSpec> specs{{key(1), kBlock, {}, {}}};
  auto answers = manager_->reserve({root_, {}, specs}, 1);
  const auto [place, memory] = manager_->places_of(*answers)[0];
  const auto mapping = memory::Mapping::shared(memory.fd, memory.bytes, true);
  std::ranges::fill(mapping->bytes().subspan(place.offset, place.bytes), byte_of(key(1)));
  ASSERT_TRUE(store_->commit(std::span(&(*answers)[0].reservation, 1)));
  settle();
  // Sealed by now: what stands before the payload is not what is written.
  std::ranges::fill(mapping->bytes().first(place.offset), std::byte{0xEE});
  tiers_[0]->release_writes();
  settle();
  evict_l1();
  const auto blocks = store_->get(keys(1, 1));
  ASSERT_EQ(blocks->size(), 1u);
  EXPECT_TRUE(right((*blocks)[0]));
}

TEST_F(OwnerRules, a_client_evicts_its_own_blocks_for_its_own_room) {
  open();
  for (testing::ScriptedTier* tier : tiers_) tier->unavailable = true;
  constexpr int kSegment = (2 << 20) / 65536;
  ASSERT_EQ(store_as(1, 1, kSegment), size_t{kSegment});
  ASSERT_EQ(store_as(2, 101, 3 * kSegment), size_t{3 * kSegment});
  settle();
  ASSERT_EQ(store_as(1, 201, 1), 1u);
  EXPECT_EQ(found(101, 3 * kSegment), size_t{3 * kSegment});
  EXPECT_EQ(found(1, kSegment), size_t{kSegment} - 1) << "the leaf of the client's own chain";
}

TEST_F(OwnerRules, what_a_client_left_behind_is_the_stores_and_makes_room_for_it) {
  open();
  for (testing::ScriptedTier* tier : tiers_) tier->unavailable = true;
  constexpr int kAll = 4 * (2 << 20) / 65536;
  ASSERT_EQ(store_as(1, 1, kAll), size_t{kAll});
  settle();
  manager_->disown(1, true);
  EXPECT_EQ(found(1, kAll), size_t{kAll});
  EXPECT_EQ(store_chain(1001, 1), 1u);
  EXPECT_EQ(found(1, kAll), size_t{kAll} - 1) << "one leaf, not a segment";
  EXPECT_TRUE(manager_->take_replaced_memory().empty());
}

TEST_F(OwnerRules, a_segment_that_changes_hands_gets_other_memory) {
  open();
  for (testing::ScriptedTier* tier : tiers_) tier->unavailable = true;
  constexpr int kAll = 4 * (2 << 20) / 65536;
  ASSERT_EQ(store_as(1, 1, kAll), size_t{kAll});
  settle();
  ASSERT_EQ(store_as(2, 1001, 1), 1u);
  EXPECT_EQ(manager_->take_replaced_memory().size(), 1u);
}

TEST_F(OwnerRules, an_arena_fills_as_memory_becomes_free_and_reserve_has_no_room_until_then) {
  std::atomic<uint64_t> free{2 << 20};  // for one segment
  segments_ = [&free] {
    return memory::shared_segments([&free] { return memory::FreeMemory{free.exchange(0), 0}; });
  };
  open();
  manager_->fill_in_background();
  EXPECT_EQ(manager_->l1_bytes_open(), 2u << 20);
  constexpr int kSegment = (2 << 20) / 65536;
  EXPECT_EQ(store_as(1, 1, kSegment), size_t{kSegment});
  EXPECT_EQ(store_as(2, 101, 1), 0u) << "no memory for a segment of its own";
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (manager_->l1_bytes_open() < 8u << 20 && std::chrono::steady_clock::now() < until) free = 2 << 20;
  EXPECT_EQ(manager_->l1_bytes_open(), 8u << 20);
  EXPECT_EQ(store_as(2, 101, 1), 1u);
}

}  // namespace
}  // namespace terrace::store
