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
