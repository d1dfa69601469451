// What a volume knows of its segments and slots: the allocator, the files, and for every slot what it holds
// in memory and on the disk. Pure bookkeeping; the volume's mutex guards it.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/executor.h"
#include "io/file.h"
#include "memory/slots.h"
#include "tier/disk/layout.h"
#include "tier/disk/place.h"
#include "tier/tier.h"

namespace terrace::tier::disk {

enum class SlotState : uint8_t {
  kFree,
  kPlaced,  // given out by place(), not yet written
  kWriting,
  kLive,      // the write ended well: may be read
  kRemoving,  // its cleared entry, or its zeros, are being written
};

// The slot's entry on the disk.
enum class EntryState : uint8_t {
  kClear,  // names nothing
  kStale,  // may name a block that is no longer here: cleared before the slot is used again, or by group sync
  kClearing,  // the clearing write runs
  kLive,      // names the slot's block
};

struct SlotRecord {
  Key key;
  uint64_t generation = 0;
  uint64_t rank = 0;
  uint64_t seq = 0;  // 0: before this life
  uint32_t payload_bytes = 0;
  SlotState state = SlotState::kFree;
  EntryState entry = EntryState::kClear;
  uint16_t clearings = 0;  // of its entry that succeeded; wraps
};
static_assert(sizeof(SlotRecord) == 64);

struct Write;

enum class LayoutState : uint8_t {
  kNone,       // no slot size yet
  kPreparing,  // a task makes its files; writes wait
  kReady,
};

struct SegmentRecord {
  LayoutState layout = LayoutState::kNone;
  uint64_t slot_bytes = 0;  // of the layout, kept when the allocator takes the class away
  uint64_t generation = 0;  // of the layout
  std::vector<SlotRecord> slots;
  std::unique_ptr<io::File> data, table;        // open until the volume closes
  std::vector<std::unique_ptr<Write>> waiting;  // for the layout
  uint64_t disk_bytes = 0;                      // its files hold
  uint32_t table_ios = 0;  // writes to the slot table that run: a new layout waits for them
  uint32_t device_errors = 0;
  bool preparing = false;                        // the task runs
  bool old_entries = false;                      // its table may still hold those of the layout before
  std::vector<base::Task> after_layout;          // run when the task has ended
  bool found = false;                            // files of this number were there at open, not yet recovered
  bool unusable = false;                         // damaged or foreign files: never used, never deleted
  bool lost = false;                             // quarantined after device errors
  bool retired = false;                          // and its header says so, durably
  bool withheld = false;                         // its files cannot grow now
  bool data_dirty = false, table_dirty = false;  // since the last group sync
  bool ranks_dirty = false;
};

class SegmentTable {
 public:
  SegmentTable(uint64_t segment_bytes, uint32_t segments);

  memory::SlotAllocator& slots() { return slots_; }
  const memory::SlotAllocator& slots() const { return slots_; }
  SegmentRecord& segment(uint32_t number) { return segments_[number]; }
  const SegmentRecord& segment(uint32_t number) const { return segments_[number]; }
  uint32_t size() const { return static_cast<uint32_t>(segments_.size()); }

  // Null when there is no such slot now: places come from outside and may be of an earlier layout.
  SlotRecord* find(Place place);
  const SlotRecord* find(Place place) const;
  // The slot is the allocator's again. What its entry on the disk says stays as it is.
  void free(Place place);
  // Some segment holds slots that could be emptied to make room.
  bool segments_help() const;

  // Growth stops: the allocator sees only segments that have files; end_withholding() gives the others back.
  void withhold_growth();
  void withhold(uint32_t number);
  void end_withholding();
  // Takes `count` segments without files out of use, to make up for bytes that damaged files hold.
  void sacrifice(uint64_t count);

  uint64_t disk_bytes() const;
  uint64_t live_blocks = 0;

 private:
  memory::SlotAllocator slots_;
  std::vector<SegmentRecord> segments_;
};

}  // namespace terrace::tier::disk
