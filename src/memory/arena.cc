#include "memory/arena.h"

#include <algorithm>
#include <string>

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
      mapped_(segments) {}

Arena::~Arena() {
  for (auto& segment : mapped_) std::unique_ptr<Segment>(segment.exchange(nullptr));
}

Result<Segment*> Arena::mapped(uint32_t number) {
  TERRACE_ASSERT(number < mapped_.size());
  if (Segment* const there = mapped_[number].load(std::memory_order_acquire)) return there;
  auto made = source_->map(slots_.options().segment_bytes);
  if (!made) return std::unexpected(made.error());
  Segment* expected = nullptr;
  if (!mapped_[number].compare_exchange_strong(expected, made->get(), std::memory_order_acq_rel))
    return expected;
  mapped_bytes_.fetch_add(slots_.options().segment_bytes, std::memory_order_relaxed);
  return made->release();
}

Result<ArenaBuffer> Arena::allocate(uint64_t bytes) {
  const auto slot = slots_.allocate(bytes);
  if (!slot) return std::unexpected(slot.error());
  if (const auto segment = mapped(slot->segment); !segment) {
    slots_.free(*slot, bytes);
    slots_.quarantine(slot->segment);
    return std::unexpected(segment.error());
  }
  return ArenaBuffer{*slot, bytes_of(*slot)};
}

void Arena::free(const Slot& slot, uint64_t bytes) {
  slots_.free(slot, bytes);
}

Result<void> Arena::warm(uint32_t number) {
  const auto segment = mapped(number);
  if (!segment) return std::unexpected(segment.error());
  (*segment)->populate();
  return {};
}

std::span<std::byte> Arena::bytes_of(const Slot& slot) {
  Segment* const segment = mapped_[slot.segment].load(std::memory_order_acquire);
  TERRACE_ASSERT(segment != nullptr);
  return segment->bytes().subspan(slot.offset(), slot.bytes);
}

}  // namespace terrace::memory
