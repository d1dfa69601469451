#include "memory/arena.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/assert.h"
#include "base/bytes.h"

namespace terrace::memory {

Outcome<uint64_t> arena_segment_bytes(const ArenaOptions& options, uint64_t slot_of_largest_block) {
  constexpr uint64_t kStep = 2 * base::kMiB;
  const uint64_t largest = base::round_up(slot_of_largest_block, base::kPage);
  if (options.budget < kStep || options.budget < 2 * largest) {
    return failure(Code::kInvalidArgument,
                   "l1 budget " + base::format_size(options.budget) + " is too small: at least " +
                       base::format_size(std::max(kStep, base::round_up(2 * largest, kStep))) +
                       " is needed, for two of the largest blocks");
  }
  uint64_t bytes = options.segment_bytes;
  if (bytes == 0) {
    bytes = base::round_up(std::clamp(options.budget / 64, kStep, base::kGiB), kStep);
    bytes = std::max(bytes, base::round_up(largest, kStep));
    // A budget that two such segments do not fit serves both blocks from one segment.
    if (bytes > options.budget / 2 && largest > 0) bytes = base::round_down(options.budget, kStep);
  }
  if (bytes % kStep != 0 || bytes > options.budget || bytes < largest) {
    return failure(Code::kInvalidArgument, "l1 segment size " + base::format_size(bytes) +
                                               " is not allowed: a multiple of 2 MiB from " +
                                               base::format_size(std::max(kStep, largest)) +
                                               " to the budget of " + base::format_size(options.budget));
  }
  if ((options.budget / bytes) * (largest == 0 ? 2 : bytes / largest) < 2) {
    return failure(Code::kInvalidArgument, "l1 budget " + base::format_size(options.budget) +
                                               " does not hold two of the largest blocks in segments of " +
                                               base::format_size(bytes));
  }
  return bytes;
}

Arena::Arena(std::unique_ptr<SegmentSource> source, uint64_t segment_bytes, uint32_t segments)
    : source_(std::move(source)),
      slots_({.segment_bytes = segment_bytes, .segments = segments}),
      memories_(segments) {}

Arena::~Arena() = default;

Result<std::shared_ptr<Segment>> Arena::mapped(uint32_t number) {
  {
    const base::Lock lock(mutex_);
    TERRACE_ASSERT(number < memories_.size());
    if (memories_[number].segment != nullptr) return memories_[number].segment;
  }
  auto made = source_->map(slots_.options().segment_bytes);
  if (!made) return std::unexpected(made.error());
  std::shared_ptr<Segment> segment(std::move(*made));
  const base::Lock lock(mutex_);
  Memory& memory = memories_[number];
  if (memory.segment != nullptr) return memory.segment;  // the warmer was first, or the store
  memory = {.segment = segment, .id = ++last_id_};
  mapped_bytes_.fetch_add(slots_.options().segment_bytes, std::memory_order_relaxed);
  return segment;
}

// A segment without taken slots but the one just given out.
Result<void> Arena::prepare(uint32_t number, SlotOwner owner) {
  if (auto there = mapped(number); !there) return std::unexpected(there.error());
  {
    const base::Lock lock(mutex_);
    Memory& memory = memories_[number];
    if (memory.fresh || memory.writer == owner) {
      memory.writer = owner;
      memory.fresh = false;
      return {};
    }
  }
  auto made = source_->map(slots_.options().segment_bytes);
  if (!made) return std::unexpected(made.error());
  std::shared_ptr<Segment> segment(std::move(*made));
  Memory replacement{
      .segment = std::move(segment), .writer = owner, .fresh = false};  // the old one, after the mutex
  const base::Lock lock(mutex_);
  replacement.id = ++last_id_;
  replaced_.push_back(memories_[number].id);
  std::swap(memories_[number], replacement);
  return {};
}

Result<ArenaBuffer> Arena::allocate(uint64_t bytes, SlotOwner owner) {
  const auto slot = slots_.allocate(bytes, owner);
  if (!slot) return std::unexpected(slot.error());
  // Another slot of it is taken: it has its memory.
  const bool begun = slots_.taken_in(slot->segment) > 1;
  if (const auto ok = begun ? Result<void>() : prepare(slot->segment, owner); !ok) {
    slots_.free(*slot, bytes);
    slots_.quarantine(slot->segment);
    return std::unexpected(ok.error());
  }
  return ArenaBuffer{*slot, bytes_of(*slot)};
}

void Arena::free(const Slot& slot, uint64_t bytes) {
  slots_.free(slot, bytes);
}

void Arena::disown(uint32_t number, SlotOwner to) {
  slots_.hand_over(number, to);
  const base::Lock lock(mutex_);
  memories_[number].writer = to;
}

SharedMemory Arena::describe(const Memory& memory) const {
  return {memory.id, memory.segment->fd(), slots_.options().segment_bytes};
}

SharedMemory Arena::memory_of(uint32_t number) const {
  const base::Lock lock(mutex_);
  return describe(memories_[number]);
}

Result<SharedMemory> Arena::sealed_memory_of(uint32_t number) {
  const base::Lock lock(mutex_);
  Memory& memory = memories_[number];
  if (!memory.sealed) {
    if (auto ok = memory.segment->seal_writes(); !ok) return std::unexpected(ok.error());
    memory.sealed = true;
  }
  return describe(memory);
}

std::vector<uint64_t> Arena::take_replaced() {
  const base::Lock lock(mutex_);
  return std::exchange(replaced_, {});
}

void Arena::open_when_warm() {
  for (uint32_t segment = 0; segment < slots_.segments(); ++segment) slots_.quarantine(segment);
}

Result<void> Arena::warm(uint32_t number) {
  const auto segment = mapped(number);
  if (!segment) return std::unexpected(segment.error());
  (*segment)->populate();
  return {};
}

std::span<std::byte> Arena::bytes_of(const Slot& slot) {
  const base::Lock lock(mutex_);
  const auto& segment = memories_[slot.segment].segment;
  TERRACE_ASSERT(segment != nullptr);
  return segment->bytes().subspan(slot.offset(), slot.bytes);
}

}  // namespace terrace::memory
