#include "memory/arena.h"

#include <algorithm>
#include <thread>

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace terrace::memory {
namespace {

constexpr uint64_t kMiB = base::kMiB;

TEST(Arena, maps_segments_when_first_needed_and_never_beyond_the_budget_P7) {
  Arena arena(anonymous_segments(), 2 * kMiB, 2);
  EXPECT_EQ(arena.mapped_bytes(), 0u);
  const auto a = arena.allocate(kMiB);
  ASSERT_TRUE(a);
  EXPECT_EQ(arena.mapped_bytes(), 2 * kMiB);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(a->bytes.data()) % (2 * kMiB), 0u);
  EXPECT_TRUE(std::ranges::all_of(a->bytes.first(4096), [](std::byte b) { return b == std::byte{0}; }));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(arena.allocate(kMiB));
  EXPECT_EQ(arena.allocate(kMiB).error().code, Code::kNoRoom);
  EXPECT_EQ(arena.mapped_bytes(), 4 * kMiB);
  arena.free(a->slot, kMiB);
  EXPECT_EQ(arena.allocate(kMiB)->bytes.data(), a->bytes.data());
  EXPECT_FALSE(arena.page_state().empty());
}

TEST(Arena, warming_runs_beside_allocation) {
  Arena arena(anonymous_segments(), 2 * kMiB, 8);
  std::thread warmer([&] {
    for (uint32_t i = 0; i < 8; ++i) EXPECT_TRUE(arena.warm(i));
  });
  for (int i = 0; i < 8; ++i) {
    const auto buffer = arena.allocate(2 * kMiB);
    ASSERT_TRUE(buffer);
    std::ranges::fill(buffer->bytes, std::byte{1});
    EXPECT_EQ(buffer->bytes.back(), std::byte{1});
  }
  warmer.join();
  EXPECT_EQ(arena.mapped_bytes(), 16 * kMiB);
}

TEST(Arena, no_owner_is_given_memory_that_another_one_can_write) {
  Arena arena(shared_segments(), 2 * kMiB, 1);
  const auto mine = arena.allocate(kMiB, 1);
  ASSERT_TRUE(mine);
  const SharedMemory first = arena.memory_of(mine->slot.segment);
  EXPECT_GE(first.fd, 0);
  std::ranges::fill(mine->bytes, std::byte{7});
  arena.free(mine->slot, kMiB);
  const auto again = arena.allocate(kMiB, 1);
  EXPECT_EQ(arena.memory_of(again->slot.segment).id, first.id) << "its own is as good as new";
  arena.free(again->slot, kMiB);
  const auto theirs = arena.allocate(kMiB, 2);
  ASSERT_TRUE(theirs);
  EXPECT_NE(arena.memory_of(theirs->slot.segment).id, first.id);
  EXPECT_TRUE(std::ranges::all_of(theirs->bytes, [](std::byte b) { return b == std::byte{0}; }));
  EXPECT_EQ(arena.take_replaced(), std::vector<uint64_t>{first.id});
  EXPECT_EQ(arena.mapped_bytes(), 2 * kMiB);
}

TEST(Arena, what_was_sealed_for_readers_cannot_become_a_writers) {
  Arena arena(shared_segments(), 2 * kMiB, 1);
  const auto own = arena.allocate(kMiB);
  const auto sealed = arena.sealed_memory_of(own->slot.segment);
  ASSERT_TRUE(sealed);
  arena.free(own->slot, kMiB);
  const auto own_again = arena.allocate(kMiB);
  EXPECT_EQ(arena.memory_of(0).id, sealed->id);
  arena.free(own_again->slot, kMiB);
  ASSERT_TRUE(arena.allocate(kMiB, 1));
  EXPECT_NE(arena.memory_of(0).id, sealed->id);
}

TEST(Arena, an_owner_that_is_gone_leaves_its_blocks_to_the_arena) {
  Arena arena(shared_segments(), 2 * kMiB, 1);
  const auto theirs = arena.allocate(kMiB, 1);
  std::ranges::fill(theirs->bytes, std::byte{7});
  const uint64_t id = arena.memory_of(0).id;
  arena.disown(0, 0);
  const auto own = arena.allocate(kMiB);
  ASSERT_TRUE(own);
  EXPECT_EQ(own->slot.segment, theirs->slot.segment);
  EXPECT_EQ(arena.memory_of(0).id, id);
  EXPECT_EQ(theirs->bytes[0], std::byte{7});
}

TEST(Arena, an_owner_that_lives_on_keeps_memory_that_nobody_else_gets) {
  Arena arena(shared_segments(), 2 * kMiB, 1);
  const auto theirs = arena.allocate(kMiB, 1);
  const uint64_t id = arena.memory_of(0).id;
  arena.disown(0, kNobody);
  EXPECT_EQ(arena.allocate(kMiB).error().code, Code::kNoRoom);
  EXPECT_EQ(arena.allocate(kMiB, 1).error().code, Code::kNoRoom);
  arena.free(theirs->slot, kMiB);
  ASSERT_TRUE(arena.allocate(kMiB));
  EXPECT_NE(arena.memory_of(0).id, id);
}

TEST(Arena, an_owners_number_used_again_does_not_get_the_memory_of_the_one_before) {
  Arena arena(shared_segments(), 2 * kMiB, 1);
  const auto theirs = arena.allocate(kMiB, 1);
  const uint64_t id = arena.memory_of(0).id;
  arena.free(theirs->slot, kMiB);
  arena.disown(0, kNobody);
  ASSERT_TRUE(arena.allocate(kMiB, 1));
  EXPECT_NE(arena.memory_of(0).id, id);
}

TEST(Arena, memory_that_is_not_shared_has_no_readers) {
  Arena arena(anonymous_segments(), 2 * kMiB, 1);
  const auto own = arena.allocate(kMiB);
  EXPECT_EQ(arena.memory_of(0).fd, -1);
  EXPECT_EQ(arena.sealed_memory_of(own->slot.segment).error().code, Code::kUnsupported);
}

class NoMemory final : public SegmentSource {
 public:
  Result<std::unique_ptr<Segment>> map(uint64_t) override { return fail(Code::kNoMemory, "none"); }
  std::string_view page_state() const override { return "none"; }
};

TEST(Arena, a_segment_that_cannot_be_mapped_is_withheld) {
  Arena arena(std::make_unique<NoMemory>(), 2 * kMiB, 2);
  EXPECT_EQ(arena.allocate(4096).error().code, Code::kNoMemory);
  EXPECT_EQ(arena.allocate(4096).error().code, Code::kNoMemory);
  EXPECT_EQ(arena.allocate(4096).error().code, Code::kNoRoom);
  EXPECT_EQ(arena.slots().usage().used_bytes, 0u);
}

TEST(Arena, segment_size_follows_the_budget_and_the_largest_block_M5) {
  EXPECT_EQ(arena_segment_bytes({.budget = 64 * kMiB}, 0).value(), 2 * kMiB);
  EXPECT_EQ(arena_segment_bytes({.budget = 1024 * kMiB}, 0).value(), 16 * kMiB);
  EXPECT_EQ(arena_segment_bytes({.budget = 256 * base::kGiB}, 0).value(), base::kGiB);
  EXPECT_EQ(arena_segment_bytes({.budget = 64 * kMiB}, 9 * kMiB).value(), 10 * kMiB);
  EXPECT_EQ(arena_segment_bytes({.budget = 20 * kMiB, .segment_bytes = 4 * kMiB}, 0).value(), 4 * kMiB);
  EXPECT_FALSE(arena_segment_bytes({.budget = 16 * kMiB}, 9 * kMiB));
  EXPECT_FALSE(arena_segment_bytes({.budget = kMiB}, 0));
  EXPECT_FALSE(arena_segment_bytes({.budget = 16 * kMiB, .segment_bytes = 3 * kMiB}, 0));
  const auto two = arena_segment_bytes({.budget = 20 * kMiB}, 9 * kMiB + 4096);
  ASSERT_TRUE(two) << two.error().message;
  EXPECT_EQ(*two % (2 * kMiB), 0u);
}

TEST(Arena, heap_segments_are_page_aligned_and_zero) {
  auto segment = heap_segments()->map(3 * 4096);
  ASSERT_TRUE(segment);
  EXPECT_EQ((*segment)->bytes().size(), 3u * 4096);
  EXPECT_EQ(reinterpret_cast<uintptr_t>((*segment)->bytes().data()) % 4096, 0u);
  EXPECT_EQ((*segment)->bytes().back(), std::byte{0});
}

}  // namespace
}  // namespace terrace::memory
