#include "memory/slots.h"

#include <algorithm>
#include <list>
#include <unordered_map>

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/random.h"

namespace terrace::memory {
namespace {

constexpr uint64_t kMiB = base::kMiB;

SlotOptions small(uint32_t segments = 4) {
  return {.segment_bytes = kMiB, .segments = segments};
}

TEST(Slots, gives_every_slot_of_a_segment_once_and_then_no_room) {
  SlotAllocator slots(small(1));
  std::vector<Slot> taken;
  for (int i = 0; i < 16; ++i) taken.push_back(slots.allocate(64 * 1024).value());
  for (uint32_t i = 0; i < 16; ++i) {
    EXPECT_EQ(taken[i].index, i);
    EXPECT_EQ(taken[i].offset(), i * 65536u);
  }
  EXPECT_EQ(slots.allocate(64 * 1024).error().code, Code::kNoRoom);
  slots.free(taken[7], 64 * 1024);
  EXPECT_EQ(slots.allocate(64 * 1024).value().index, 7u);
}

TEST(Slots, refuses_what_no_segment_holds_K4) {
  SlotAllocator slots(small());
  EXPECT_EQ(slots.allocate(kMiB + 1).error().code, Code::kLimitExceeded);
  EXPECT_EQ(slots.allocate(UINT64_MAX).error().code, Code::kLimitExceeded);
  EXPECT_EQ(slots.class_for(kMiB + 1), 0u);
  EXPECT_TRUE(slots.allocate(kMiB).has_value());
}

TEST(Slots, counts_the_overhead_of_each_slot_in_its_segment) {
  SlotAllocator slots({.segment_bytes = kMiB, .segments = 1, .slot_overhead = 256});
  EXPECT_EQ(slots.class_for(kMiB), 0u);
  EXPECT_EQ(SlotAllocator::slots_per_segment(slots.options(), 65536), 15u);
}

TEST(Slots, an_emptied_segment_serves_any_class_next_E2) {
  SlotAllocator slots(small(1));
  const Slot slot = slots.allocate(kMiB / 2).value();
  EXPECT_EQ(slots.allocate(4096).error().code, Code::kNoRoom);
  slots.free(slot, kMiB / 2);
  EXPECT_EQ(slots.slot_bytes_of(0), 0u);
  EXPECT_EQ(slots.allocate(4096).value().bytes, 4096u);
}

TEST(Slots, the_segment_emptied_last_is_used_before_new_ones) {
  SlotAllocator slots(small(8));
  std::vector<Slot> whole;
  for (int i = 0; i < 3; ++i) whole.push_back(slots.allocate(kMiB).value());
  slots.free(whole[1], kMiB);
  EXPECT_EQ(slots.allocate(4096).value().segment, whole[1].segment);
}

TEST(Slots, sixteen_sizes_are_exact_and_the_next_takes_a_larger_class) {
  SlotAllocator slots(small(64));
  for (uint64_t i = 1; i <= 16; ++i) EXPECT_EQ(slots.allocate(i * 8192).value().bytes, i * 8192);
  EXPECT_EQ(slots.usage().inexact, 0u);
  EXPECT_EQ(slots.allocate(3 * 8192 - 4096).value().bytes, 3u * 8192);
  EXPECT_EQ(slots.usage().inexact, 1u);
  // Between two live sizes a binary fraction of the segment may be nearer; beyond the largest one always is.
  EXPECT_EQ(slots.allocate(16 * 8192 + 1).value().bytes, kMiB / 4);
  EXPECT_EQ(slots.allocate(kMiB / 2 + 1).value().bytes, kMiB);
}

TEST(Slots, what_is_one_owners_is_no_others_until_its_last_slot_is_freed) {
  SlotAllocator slots(small(2));
  const Slot mine = slots.allocate(4096, 1).value();
  const Slot theirs = slots.allocate(4096, 2).value();
  EXPECT_NE(mine.segment, theirs.segment);
  EXPECT_EQ(slots.owner_of(mine.segment), 1u);
  EXPECT_EQ(slots.allocate(4096, 3).error().code, Code::kNoRoom);
  EXPECT_EQ(slots.allocate(4096, 2).value().segment, theirs.segment);
  slots.free(mine, 4096);
  EXPECT_EQ(slots.allocate(4096, 3).value().segment, mine.segment);
}

TEST(Slots, an_owner_gets_the_segment_back_that_it_had_before) {
  SlotAllocator slots(small(8));
  const Slot first = slots.allocate(kMiB, 1).value();
  const Slot second = slots.allocate(kMiB, 2).value();
  slots.free(first, kMiB);
  slots.free(second, kMiB);
  EXPECT_EQ(slots.allocate(4096, 1).value().segment, first.segment);
}

TEST(Slots, each_owner_has_sixteen_exact_sizes) {
  SlotAllocator slots(small(64));
  for (uint64_t i = 1; i <= 16; ++i) ASSERT_TRUE(slots.allocate(i * 8192, 1));
  EXPECT_EQ(slots.class_for(3 * 8192 - 4096, 1), 3u * 8192);
  EXPECT_EQ(slots.class_for(3 * 8192 - 4096, 2), 3u * 8192 - 4096);
}

TEST(Slots, a_segment_handed_over_keeps_its_slots_and_gives_out_the_others) {
  SlotAllocator slots(small(1));
  const Slot taken = slots.allocate(kMiB / 2, 1).value();
  slots.hand_over(taken.segment, 0);
  EXPECT_EQ(slots.allocate(kMiB / 2, 1).error().code, Code::kNoRoom);
  const Slot next = slots.allocate(kMiB / 2).value();
  EXPECT_EQ(next.segment, taken.segment);
  slots.hand_over(taken.segment, 3);  // full
  slots.free(taken, kMiB / 2);
  EXPECT_EQ(slots.allocate(kMiB / 2, 3).value().index, taken.index);
  EXPECT_EQ(slots.usage().classes, 1u);
  slots.free(taken, kMiB / 2);
  slots.free(next, kMiB / 2);
  EXPECT_EQ(slots.usage().classes, 0u);
}

TEST(Slots, usage_adds_up) {
  SlotAllocator slots(small());
  const Slot a = slots.allocate(5000).value();
  EXPECT_EQ(slots.usage().used_bytes, 8192u);
  EXPECT_EQ(slots.usage().segment_bytes, kMiB);
  slots.free(a, 5000);
  EXPECT_EQ(slots.usage().used_bytes, 0u);
  EXPECT_EQ(slots.usage().slot_bytes, 0u);
  EXPECT_EQ(slots.usage().segment_bytes, 0u);
  EXPECT_EQ(slots.usage().classes, 0u);
}

TEST(Slots, a_quarantined_segment_is_never_given_out_until_reset) {
  SlotAllocator slots(small(2));
  const Slot a = slots.allocate(kMiB / 4).value();
  const Slot b = slots.allocate(kMiB / 4).value();
  ASSERT_EQ(a.segment, b.segment);
  slots.quarantine(a.segment);
  EXPECT_NE(slots.allocate(kMiB / 4).value().segment, a.segment);
  slots.free(a, kMiB / 4);
  slots.free(b, kMiB / 4);
  EXPECT_EQ(slots.allocate(kMiB).error().code, Code::kNoRoom);
  slots.reset_segment(a.segment);
  EXPECT_EQ(slots.allocate(kMiB).value().segment, a.segment);
}

TEST(Slots, adopts_what_recovery_found) {
  SlotAllocator slots(small(3));
  ASSERT_TRUE(slots.adopt_segment(2, 65536));
  EXPECT_EQ(slots.adopt_segment(2, 65536).error().code, Code::kInvalidArgument);
  EXPECT_EQ(slots.adopt_segment(1, 1000).error().code, Code::kInvalidArgument);
  EXPECT_EQ(slots.adopt_segment(3, 4096).error().code, Code::kLimitExceeded);
  ASSERT_TRUE(slots.adopt_slot(2, 3, 60000));
  ASSERT_TRUE(slots.adopt_slot(2, 1, 60000));
  EXPECT_EQ(slots.adopt_slot(2, 3, 60000).error().code, Code::kBusy);
  EXPECT_EQ(slots.adopt_slot(2, 16, 60000).error().code, Code::kInvalidArgument);
  EXPECT_EQ(slots.adopt_slot(2, 4, 65537).error().code, Code::kInvalidArgument);
  for (int i = 0; i < 14; ++i) {
    const Slot slot = slots.allocate(65536).value();
    EXPECT_EQ(slot.segment, 2u);
    EXPECT_TRUE(slot.index != 3 && slot.index != 1);
  }
  EXPECT_NE(slots.allocate(65536).value().segment, 2u);
}

TEST(Slots, growing_and_shrinking_keep_what_has_a_class_D2) {
  SlotAllocator slots(small(3));
  std::vector<Slot> whole;
  for (int i = 0; i < 3; ++i) whole.push_back(slots.allocate(kMiB).value());
  slots.set_segments(1);
  EXPECT_EQ(slots.usage().segments, 3u);
  for (const Slot& slot : whole) slots.free(slot, kMiB);
  EXPECT_TRUE(slots.allocate(kMiB).has_value());
  EXPECT_EQ(slots.allocate(kMiB).error().code, Code::kNoRoom);
  slots.set_segments(2);
  EXPECT_TRUE(slots.allocate(kMiB).has_value());
}

// What the store does when the allocator has no room (E2): it frees the coldest block of the class, else
// empties the coldest segment.
class ModelOwner {
 public:
  explicit ModelOwner(SlotOptions options) : slots_(options) {}

  bool store(uint64_t bytes) {
    for (int attempt = 0; attempt < 2; ++attempt) {
      if (const auto slot = slots_.allocate(bytes)) {
        check_apart(*slot);
        const uint64_t id = next_id_++;
        blocks_[id] = {*slot, bytes, order_.insert(order_.end(), id)};
        by_place_[place(*slot)] = id;
        used_ += base::round_up(bytes, slots_.options().unit);
        return true;
      } else if (slot.error().code != Code::kNoRoom) {
        return false;
      }
      make_room(slots_.class_for(bytes));
    }
    return false;
  }

  void drop_random(base::Random& random) {
    const uint64_t id = 1 + random.below(next_id_);
    if (blocks_.contains(id)) drop(id);
    const uint64_t recent = next_id_ - random.below(std::min<uint64_t>(next_id_, 100));
    if (blocks_.contains(recent)) drop(recent);
  }

  void quarantine_one(base::Random& random) {
    const auto segment = static_cast<uint32_t>(random.below(slots_.segments()));
    if (slots_.is_quarantined(segment)) return;
    slots_.quarantine(segment);
    empty(segment);
    slots_.reset_segment(segment);
  }

  void check() const {
    uint64_t slot_bytes = 0;
    std::unordered_map<uint32_t, uint32_t> taken;
    for (const auto& [id, block] : blocks_) {
      slot_bytes += block.slot.bytes;
      ++taken[block.slot.segment];
      ASSERT_EQ(slots_.slot_bytes_of(block.slot.segment), block.slot.bytes);
      ASSERT_LT(block.slot.index, slots_.slots_in(block.slot.segment));
    }
    ASSERT_EQ(slots_.usage().used_bytes, used_);
    ASSERT_EQ(slots_.usage().slot_bytes, slot_bytes);
    uint32_t with_class = 0;
    for (uint32_t i = 0; i < slots_.segments(); ++i) {
      ASSERT_EQ(slots_.taken_in(i), taken[i]);
      with_class += slots_.slot_bytes_of(i) != 0;
    }
    ASSERT_EQ(slots_.usage().segments, with_class);
    ASSERT_LE(slots_.usage().classes, slots_.options().exact_classes + 20);
  }

 private:
  struct Block {
    Slot slot;
    uint64_t bytes;
    std::list<uint64_t>::iterator at;
  };
  static uint64_t place(const Slot& slot) { return (uint64_t{slot.segment} << 32) | slot.index; }

  void check_apart(const Slot& slot) const {
    ASSERT_FALSE(by_place_.contains(place(slot)));
    ASSERT_LE(slot.offset() + slot.bytes, slots_.options().segment_bytes);
  }
  void drop(uint64_t id) {
    const Block block = blocks_.at(id);
    order_.erase(block.at);
    by_place_.erase(place(block.slot));
    blocks_.erase(id);
    used_ -= base::round_up(block.bytes, slots_.options().unit);
    slots_.free(block.slot, block.bytes);
  }
  void empty(uint32_t segment) {
    const uint32_t count = slots_.slots_in(segment);
    for (uint32_t index = 0; index < count; ++index) {
      const auto found = by_place_.find((uint64_t{segment} << 32) | index);
      if (found != by_place_.end()) drop(found->second);
    }
  }
  void make_room(uint64_t slot_bytes) {
    int looked = 0;
    for (const uint64_t id : order_) {
      if (blocks_.at(id).slot.bytes == slot_bytes) return drop(id);
      if (++looked == 64) break;  // the model's bound on searching; the store has a queue per class
    }
    empty(blocks_.at(order_.front()).slot.segment);
  }

  SlotAllocator slots_;
  std::unordered_map<uint64_t, Block> blocks_;
  std::unordered_map<uint64_t, uint64_t> by_place_;
  std::list<uint64_t> order_;
  uint64_t used_ = 0;
  uint64_t next_id_ = 1;
};

// A fresh mix every while: few sizes, many sizes, sizes just above a class, whole segments.
uint64_t hostile_size(base::Random& random, uint64_t phase) {
  switch (phase % 5) {
    case 0:
      return 1 + random.below(256) * 4096;
    case 1:
      return (1 + random.below(3)) * 65536;
    case 2:
      return 1 + random.below(kMiB);
    case 3:
      return (uint64_t{4096} << random.below(9)) + (random.one_in(2) ? 1 : 0);
    default:
      return random.one_in(3) ? kMiB : 4096 * (1 + random.below(40));
  }
}

void never_wedges(SlotOptions options, uint64_t operations, uint64_t seed) {
  ModelOwner owner(options);
  base::Random random(seed);
  uint64_t phase = 0;
  const uint64_t largest = options.segment_bytes - options.slot_overhead;
  for (uint64_t i = 0; i < operations; ++i) {
    if (i % 5000 == 0) phase = random.next();
    if (random.one_in(20)) owner.drop_random(random);
    if (random.one_in(5000)) owner.quarantine_one(random);
    const uint64_t bytes = std::min(hostile_size(random, phase), base::round_down(largest, options.unit));
    ASSERT_TRUE(owner.store(bytes)) << "operation " << i << " of " << bytes << " bytes, seed " << seed;
    if (i % 20000 == 0) {
      ASSERT_NO_FATAL_FAILURE(owner.check());
    }
  }
  owner.check();
}

TEST(Slots, hostile_size_mixes_never_wedge_E2) {
  never_wedges({.segment_bytes = kMiB, .segments = 16}, 1'000'000, 1);
  never_wedges({.segment_bytes = kMiB, .segments = 3, .slot_overhead = 265}, 500'000, 2);
  never_wedges({.segment_bytes = kMiB, .segments = 1}, 250'000, 3);
  never_wedges({.segment_bytes = kMiB, .segments = 200, .exact_classes = 1}, 250'000, 4);
}

}  // namespace
}  // namespace terrace::memory
