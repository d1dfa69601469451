#include "memory/slots.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/hooks.h"

namespace terrace::memory {
namespace {

constexpr size_t kSegmentsFirst = 8;  // of a class, until its list grows

}  // namespace

SlotAllocator::SlotAllocator(SlotOptions options) : options_(options) {
  TERRACE_ASSERT(options_.unit > 0 && options_.exact_classes > 0);
  const uint32_t segments = options_.segments;
  options_.segments = 0;
  set_segments(segments);
}

uint32_t SlotAllocator::slots_per_segment(const SlotOptions& options, uint64_t slot_bytes) {
  if (slot_bytes == 0) return 0;
  const uint64_t slots = options.segment_bytes / (slot_bytes + options.slot_overhead);
  return static_cast<uint32_t>(std::min<uint64_t>(slots, UINT32_MAX));
}

uint64_t SlotAllocator::class_for(uint64_t bytes, SlotOwner owner) const {
  // Compared before rounding: a hostile size must not wrap round.
  if (bytes > options_.segment_bytes) return 0;
  const uint64_t size = base::round_up(std::max<uint64_t>(bytes, 1), options_.unit);
  if (slots_per_segment(options_, size) == 0) return 0;
  const auto first = classes_.lower_bound({owner, 0}), end = classes_.lower_bound({owner + 1, 0});
  const auto live = classes_.lower_bound({owner, size});
  if (live != end && live->first.slot_bytes == size) return size;
  if (static_cast<uint64_t>(std::distance(first, end)) < options_.exact_classes) return size;
  const uint64_t fraction = fraction_for(size);
  return live == end ? fraction : std::min(live->first.slot_bytes, fraction);
}

// The largest k for which a segment cut into 2^k slots still has slots of `size`.
uint64_t SlotAllocator::fraction_for(uint64_t size) const {
  uint64_t fitting = size;
  for (uint64_t pieces = 1;; pieces *= 2) {
    const uint64_t piece = options_.segment_bytes / pieces;
    if (piece < size + options_.slot_overhead) return fitting;
    fitting = base::round_down(piece - options_.slot_overhead, options_.unit);
  }
}

Result<Slot> SlotAllocator::allocate(uint64_t bytes, SlotOwner owner) {
  const uint64_t slot_bytes = class_for(bytes, owner);
  if (slot_bytes == 0) return fail(Code::kLimitExceeded, "larger than a segment");
  const ClassName name{owner, slot_bytes};
  auto found = classes_.find(name);
  if (found == classes_.end() || found->second.segments_with_room.empty()) {
    if (free_segments_.empty()) return fail(Code::kNoRoom, "no free slot and no free segment");
    const auto next = free_segment_for(owner);
    assign(*next, name);
    free_segments_.erase(next);
    found = classes_.find(name);
  }
  const uint32_t number = found->second.segments_with_room.back();
  Segment& segment = segments_[number];
  uint32_t index;
  if (segment.free_list.empty()) {
    index = segment.fresh++;
  } else {
    index = segment.free_list.back();
    segment.free_list.pop_back();
  }
  take(number, index, bytes);
  if (slot_bytes > base::round_up(std::max<uint64_t>(bytes, 1), options_.unit)) {
    TERRACE_PROBE("memory.slot_of_a_larger_class");
    ++usage_.inexact;
  }
  return Slot{number, index, slot_bytes};
}

// There is one.
std::vector<uint32_t>::iterator SlotAllocator::free_segment_for(SlotOwner owner) {
  for (auto next = free_segments_.end(); next-- != free_segments_.begin();) {
    if (segments_[*next].owner == owner) return next;
  }
  return free_segments_.end() - 1;
}

void SlotAllocator::take(uint32_t number, uint32_t index, uint64_t bytes) {
  Segment& segment = segments_[number];
  TERRACE_ASSERT(index < segment.slots && !segment.is_taken[index]);
  segment.is_taken[index] = true;
  ++segment.taken;
  usage_.used_bytes += base::round_up(std::max<uint64_t>(bytes, 1), options_.unit);
  usage_.slot_bytes += segment.slot_bytes;
  if (segment.taken == segment.slots && !segment.quarantined) {
    std::erase(class_of(number).segments_with_room, number);
  }
}

void SlotAllocator::free(const Slot& slot, uint64_t bytes) {
  TERRACE_ASSERT(slot.segment < segments_.size());
  Segment& segment = segments_[slot.segment];
  TERRACE_ASSERT(slot.bytes == segment.slot_bytes && slot.index < segment.slots &&
                 segment.is_taken[slot.index]);
  const uint64_t size = base::round_up(std::max<uint64_t>(bytes, 1), options_.unit);
  TERRACE_ASSERT(size <= segment.slot_bytes && size <= usage_.used_bytes);
  segment.is_taken[slot.index] = false;
  if (!TERRACE_MUTANT("memory.leak_slot")) segment.free_list.push_back(slot.index);
  usage_.used_bytes -= size;
  usage_.slot_bytes -= segment.slot_bytes;
  if (!segment.quarantined && segment.taken == segment.slots) {
    class_of(slot.segment).segments_with_room.push_back(slot.segment);
  }
  if (--segment.taken == 0 && !segment.quarantined) {
    drop_class_of(slot.segment);
    if (slot.segment < options_.segments) free_segments_.push_back(slot.segment);
  }
}

// All or nothing, and what it has had no slot's taking or freeing has to ask for.
void SlotAllocator::assign(uint32_t number, ClassName name) {
  Segment& segment = segments_[number];
  TERRACE_ASSERT(segment.slot_bytes == 0 && !segment.quarantined);
  const uint32_t slots =
      slots_per_segment(options_, name.slot_bytes) + (TERRACE_MUTANT("memory.one_slot_too_many") ? 1 : 0);
  TERRACE_ASSERT(slots > 0);
  std::vector<bool> is_taken(slots);
  segment.free_list.reserve(slots);
  Class& its_class = class_with_room(name);
  segment.owner = name.owner;
  segment.slot_bytes = name.slot_bytes;
  segment.slots = slots;
  segment.fresh = 0;
  segment.free_list.clear();
  segment.is_taken = std::move(is_taken);
  ++its_class.segments;
  its_class.segments_with_room.push_back(number);
  usage_.segment_bytes += options_.segment_bytes;
  ++usage_.segments;
  usage_.classes = static_cast<uint32_t>(classes_.size());
}

// The class, made when there is none, with room for one segment more.
SlotAllocator::Class& SlotAllocator::class_with_room(ClassName name) {
  const auto known = classes_.find(name);
  if (known == classes_.end()) {
    Class made;
    made.segments_with_room.reserve(kSegmentsFirst);
    return classes_.emplace(name, std::move(made)).first->second;
  }
  auto& list = known->second.segments_with_room;
  const size_t needed = known->second.segments + 1;
  if (list.capacity() < needed) list.reserve(2 * needed);
  return known->second;
}

SlotAllocator::Class& SlotAllocator::class_of(uint32_t number) {
  const Segment& segment = segments_[number];
  return classes_.find({segment.owner, segment.slot_bytes})->second;
}

void SlotAllocator::hand_over(uint32_t number, SlotOwner owner) {
  Segment& segment = segments_[number];
  if (segment.owner == owner) return;
  if (segment.quarantined || segment.slot_bytes == 0) {
    segment.owner = owner;
    return;
  }
  Class& next = class_with_room({owner, segment.slot_bytes});
  leave_class(number);
  segment.owner = owner;
  ++next.segments;
  if (segment.taken < segment.slots) next.segments_with_room.push_back(number);
  usage_.classes = static_cast<uint32_t>(classes_.size());
}

// Takes the segment out of its class; the slots it has taken, if any, keep their size until they are freed.
void SlotAllocator::leave_class(uint32_t number) {
  const auto left = classes_.find({segments_[number].owner, segments_[number].slot_bytes});
  std::erase(left->second.segments_with_room, number);
  if (--left->second.segments == 0) classes_.erase(left);
  usage_.classes = static_cast<uint32_t>(classes_.size());
}

void SlotAllocator::forget_layout(uint32_t number) {
  Segment& segment = segments_[number];
  TERRACE_ASSERT(segment.taken == 0);
  segment.slot_bytes = 0;
  segment.slots = 0;
  segment.fresh = 0;
  segment.free_list = {};
  segment.is_taken = {};
  usage_.segment_bytes -= options_.segment_bytes;
  --usage_.segments;
}

void SlotAllocator::drop_class_of(uint32_t number) {
  leave_class(number);
  forget_layout(number);
}

Result<void> SlotAllocator::adopt_segment(uint32_t number, uint64_t slot_bytes) {
  if (number >= options_.segments) return fail(Code::kLimitExceeded, "segment number beyond the last");
  if (slot_bytes == 0 || slot_bytes % options_.unit != 0 || slots_per_segment(options_, slot_bytes) == 0) {
    return fail(Code::kInvalidArgument, "no slot of this size fits a segment");
  }
  if (segments_[number].slot_bytes != 0 || segments_[number].quarantined) {
    return fail(Code::kInvalidArgument, "the segment has a class already or is quarantined");
  }
  assign(number, {0, slot_bytes});
  std::erase(free_segments_, number);
  return {};
}

Result<Slot> SlotAllocator::adopt_slot(uint32_t number, uint32_t index, uint64_t bytes) {
  if (number >= segments_.size() || index >= segments_[number].slots) {
    return fail(Code::kInvalidArgument, "no such slot");
  }
  Segment& segment = segments_[number];
  if (bytes > segment.slot_bytes) return fail(Code::kInvalidArgument, "larger than the slot");
  if (segment.is_taken[index]) return fail(Code::kBusy, "the slot is taken");
  if (index >= segment.fresh) {
    // Pushed in falling order, so that they are handed out in rising order.
    for (uint32_t skipped = index; skipped > segment.fresh; --skipped)
      segment.free_list.push_back(skipped - 1);
    segment.fresh = index + 1;
  } else {
    std::erase(segment.free_list, index);
  }
  take(number, index, bytes);
  return Slot{number, index, segment.slot_bytes};
}

void SlotAllocator::quarantine(uint32_t number) {
  TERRACE_ASSERT(number < segments_.size());
  Segment& segment = segments_[number];
  if (segment.quarantined) return;
  segment.quarantined = true;
  if (segment.slot_bytes != 0) {
    leave_class(number);
  } else {
    std::erase(free_segments_, number);
  }
}

bool SlotAllocator::is_quarantined(uint32_t segment) const {
  return segments_[segment].quarantined;
}

void SlotAllocator::reset_segment(uint32_t number) {
  TERRACE_ASSERT(number < segments_.size());
  Segment& segment = segments_[number];
  TERRACE_ASSERT(segment.taken == 0);
  if (segment.slot_bytes != 0) {
    if (!segment.quarantined) leave_class(number);
    forget_layout(number);
  } else if (!segment.quarantined) {
    return;  // it is among the free ones already
  }
  segment.quarantined = false;
  if (number < options_.segments) free_segments_.push_back(number);
}

void SlotAllocator::set_segments(uint32_t segments) {
  std::erase_if(free_segments_, [&](uint32_t number) { return number >= segments; });
  std::vector<uint32_t> added;
  for (uint32_t number = segments; number > options_.segments; --number) {
    // A number may come back whose segment still has a class from before the shrinking.
    const bool known = number - 1 < segments_.size();
    if (!known || (segments_[number - 1].slot_bytes == 0 && !segments_[number - 1].quarantined)) {
      added.push_back(number - 1);
    }
  }
  // New ones are used last, the lowest of them first.
  free_segments_.insert(free_segments_.begin(), added.begin(), added.end());
  if (segments > segments_.size()) segments_.resize(segments);
  options_.segments = segments;
}

uint32_t SlotAllocator::slots_in(uint32_t segment) const {
  return segments_[segment].slots;
}
uint32_t SlotAllocator::taken_in(uint32_t segment) const {
  return segments_[segment].taken;
}
uint64_t SlotAllocator::slot_bytes_of(uint32_t segment) const {
  return segments_[segment].slot_bytes;
}
SlotOwner SlotAllocator::owner_of(uint32_t segment) const {
  return segments_[segment].owner;
}
uint32_t SlotAllocator::segments() const {
  return options_.segments;
}

}  // namespace terrace::memory
