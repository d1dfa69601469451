// The one slot allocator, for the arena and for disk files: space is cut into segments, a segment serves one
// size class and is cut into slots of that size. Pure bookkeeping: it holds no memory, does no IO, takes no
// lock.
//
// Classes. A size seen (rounded up to the slot unit) is a class of its own while at most `exact_classes`
// sizes are live (have a segment); beyond that a request takes the smallest live class that fits, or one of
// the fixed binary fractions of a segment (segment / 2^k), so that some class always fits and the number of
// classes is bounded.
//
// Owners. Who fills a segment owns it, until its last slot is freed: what one client of a server may write is
// never another's. Each owner has classes of its own. Where there is one owner it is 0.
//
// Room. allocate() answers kNoRoom when the class has neither a free slot nor a free segment. The owner then
// frees a slot of that class (evicting a block) or empties one segment of any class (E2): a segment whose
// last slot is freed belongs to no class, and the next allocate() that needs a segment takes the one emptied
// last, of its owner's where there is one.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include <terrace/error.h>

namespace terrace::memory {

inline constexpr uint32_t kNoSegment = UINT32_MAX;

using SlotOwner = uint32_t;
inline constexpr SlotOwner kOwnersMax = 4094;         // of which one is alive
inline constexpr SlotOwner kNobody = kOwnersMax + 1;  // fills no slot any more

struct SlotOptions {
  uint64_t segment_bytes = 0;   // usable bytes of a segment
  uint32_t segments = 0;        // how many there may be
  uint64_t unit = 4096;         // sizes are rounded up to this
  uint64_t slot_overhead = 0;   // further bytes each slot costs in its segment (a disk segment's table entry)
  uint32_t exact_classes = 16;  // of an owner
};

struct Slot {
  uint32_t segment = kNoSegment;
  uint32_t index = 0;                                // within the segment
  uint64_t bytes = 0;                                // size of the slot (its class), >= what was asked for
  uint64_t offset() const { return index * bytes; }  // within the segment

  friend bool operator==(const Slot&, const Slot&) = default;
};

struct SlotUsage {
  uint64_t used_bytes = 0;     // what was asked for, rounded to the unit
  uint64_t slot_bytes = 0;     // of the slots taken
  uint64_t segment_bytes = 0;  // of the segments that have a class
  uint32_t segments = 0;       // that have a class
  uint32_t classes = 0;        // live, of all owners
  uint64_t inexact = 0;        // allocations that took a larger class than their size, ever
};

class SlotAllocator {
 public:
  explicit SlotAllocator(SlotOptions options);

  // Errors: kLimitExceeded (larger than a segment), kNoRoom (see above).
  Result<Slot> allocate(uint64_t bytes, SlotOwner owner = 0);
  void free(const Slot& slot, uint64_t bytes);

  // The class (slot size) an allocation of `bytes` would use now; 0 when larger than a segment.
  uint64_t class_for(uint64_t bytes, SlotOwner owner = 0) const;

  // The segment is `owner`'s from now on, with the slots it has taken.
  void hand_over(uint32_t segment, SlotOwner owner);

  // Recovery: gives a segment its class, all slots free; then marks single slots taken.
  Result<void> adopt_segment(uint32_t segment, uint64_t slot_bytes);
  Result<Slot> adopt_slot(uint32_t segment, uint32_t index, uint64_t bytes);

  // A segment that must not be used (its device failed, its file is foreign); its taken slots may still be
  // freed.
  void quarantine(uint32_t segment);
  bool is_quarantined(uint32_t segment) const;
  // Puts a segment without taken slots, quarantined or not, back among those without a class.
  void reset_segment(uint32_t segment);
  // Grows or shrinks how many segments there may be. Shrinking keeps those that have a class.
  void set_segments(uint32_t segments);

  uint32_t slots_in(uint32_t segment) const;  // capacity of the segment under its class; 0 without one
  uint32_t taken_in(uint32_t segment) const;
  uint64_t slot_bytes_of(uint32_t segment) const;  // 0 without a class
  SlotOwner owner_of(uint32_t segment) const;      // or whose it was last
  uint32_t segments() const;
  const SlotUsage& usage() const { return usage_; }
  const SlotOptions& options() const { return options_; }
  // Slots of `slot_bytes` that fit a segment.
  static uint32_t slots_per_segment(const SlotOptions& options, uint64_t slot_bytes);

 private:
  struct ClassName {
    SlotOwner owner = 0;
    uint64_t slot_bytes = 0;
    friend auto operator<=>(const ClassName&, const ClassName&) = default;
  };
  struct Segment {
    SlotOwner owner = 0;
    uint64_t slot_bytes = 0;
    uint32_t slots = 0;
    uint32_t taken = 0;
    uint32_t fresh = 0;  // slots [fresh, slots) were never taken: no list needed for them
    bool quarantined = false;
    std::vector<uint32_t> free_list;  // freed slots below `fresh`
    std::vector<bool> is_taken;
  };
  struct Class {
    std::vector<uint32_t> segments_with_room;  // exactly those with a free slot, the next to use last
    uint32_t segments = 0;                     // quarantined ones are not counted
  };

  uint64_t fraction_for(uint64_t size) const;
  std::vector<uint32_t>::iterator free_segment_for(SlotOwner owner);
  void take(uint32_t segment, uint32_t index, uint64_t bytes);
  void assign(uint32_t segment, ClassName name);
  Class& class_with_room(ClassName name);
  Class& class_of(uint32_t segment);
  void leave_class(uint32_t segment);
  void forget_layout(uint32_t segment);
  void drop_class_of(uint32_t segment);

  SlotOptions options_;
  std::vector<Segment> segments_;
  std::vector<uint32_t> free_segments_;  // without a class; the next to use last, never used ones first
  std::map<ClassName, Class> classes_;   // live ones
  SlotUsage usage_;
};

}  // namespace terrace::memory
