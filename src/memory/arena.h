// L1's memory: segments on huge pages behind one slot allocator. A buffer is (segment, offset, length). Not
// thread-safe: the store's mutex guards it; only the bytes themselves are used outside.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <terrace/error.h>

#include "base/mutex.h"
#include "memory/free_memory.h"
#include "memory/slots.h"

namespace terrace::memory {

// One mapped segment of memory, unmapped when destroyed.
class Segment {
 public:
  virtual ~Segment() = default;
  virtual std::span<std::byte> bytes() = 0;
  // What another process maps it by: of shared_segments(), -1 of others. The segment's, not the caller's.
  virtual int fd() const { return -1; }
  // From now on no process can map it writable, or write through fd(); mappings that are writable stay so.
  // The owner of its bytes has mapped it before; everybody else gets fd() after. Errors: kUnsupported of a
  // segment that is not shared.
  virtual Result<void> seal_writes() { return fail(Code::kUnsupported, "only shared segments are sealed"); }
  // Takes its pages now, so that no first touch is paid later. Changes no bytes; safe beside readers and
  // writers.
  virtual void populate() {}
};

// Where segments come from: anonymous memory when embedded, sealed memfds in the server.
class SegmentSource {
 public:
  virtual ~SegmentSource() = default;
  // Page-aligned to 2 MiB, contents zero, kept out of core dumps. Errors: kNoMemory.
  virtual Result<std::unique_ptr<Segment>> map(uint64_t bytes) = 0;
  // "huge pages: madvise", or why they are not in force; for stats.
  virtual std::string_view page_state() const = 0;
};

// Anonymous memory with MADV_HUGEPAGE and MADV_DONTDUMP.
std::unique_ptr<SegmentSource> anonymous_segments();
// Memory that other processes map, each segment a memfd sealed against growing and shrinking: reserved huge
// pages where the machine has them, else shared memory with transparent huge pages where it allows them, and
// only as much of that as is free (kNoMemory): a server that starts again beside clients that still map the
// last one's arena must not push the machine out of memory.
std::unique_ptr<SegmentSource> shared_segments(std::function<FreeMemory()> free = free_memory);
// Plain aligned heap memory, for the simulator: small stores by the thousand.
std::unique_ptr<SegmentSource> heap_segments();

struct ArenaOptions {
  uint64_t budget = 0;  // bytes; the arena never maps more
  uint64_t segment_bytes =
      0;  // 0: clamp(budget/64, 2 MiB, 1 GiB), a multiple of 2 MiB, at least largest_block's slot
  uint64_t largest_block = 0;  // payload bytes of the largest block declared; 0: unknown
};

// The segment size the options ask for, or why they cannot hold two of the largest blocks (M5).
Outcome<uint64_t> arena_segment_bytes(const ArenaOptions& options, uint64_t slot_of_largest_block);

struct ArenaBuffer {
  Slot slot;
  std::span<std::byte> bytes;  // the whole slot
};

// The memory of a segment, for processes that map it. A segment may get other memory when it was emptied.
struct SharedMemory {
  uint64_t id = 0;  // of this memory and never of other
  int fd = -1;      // the arena's; -1 where memory is not shared
  uint64_t bytes = 0;
};

class Arena {
 public:
  // `segment_bytes` x `segments` is the budget. Segments are mapped when first needed or by warm().
  Arena(std::unique_ptr<SegmentSource> source, uint64_t segment_bytes, uint32_t segments);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Who is not owner 0 may map the memory of its segments writable and fill its slots there. No owner is
  // given memory that another one can write, or that holds another one's bytes. Errors: as
  // SlotAllocator::allocate; kNoMemory when a segment cannot be mapped (its segment is then withheld).
  Result<ArenaBuffer> allocate(uint64_t bytes, SlotOwner owner = 0);
  void free(const Slot& slot, uint64_t bytes);
  // The segment's owner gives it up, with what it holds: to the arena (0) when its process has ended, else to
  // kNobody, as it may write there still.
  void disown(uint32_t segment, SlotOwner to);

  // For the owner, before anybody reads there; it maps it at once.
  SharedMemory memory_of(uint32_t segment) const TERRACE_EXCLUDES(mutex_);
  // For readers. Nobody can map it writable any more. Errors: kUnsupported where memory is not shared.
  Result<SharedMemory> sealed_memory_of(uint32_t segment) TERRACE_EXCLUDES(mutex_);
  // Ids of memory that was replaced since the last call: who mapped it lets go.
  std::vector<uint64_t> take_replaced() TERRACE_EXCLUDES(mutex_);

  // Maps segment number `segment` if it is not; called from a background thread before it is needed, so that
  // the first touch is not paid by an engine. Thread-safe against the rest.
  Result<void> warm(uint32_t segment) TERRACE_EXCLUDES(mutex_);

  // No slot of a segment is given out before its memory was had ahead of need: warm(), then open().
  void open_when_warm();
  void open(uint32_t segment) { slots_.reset_segment(segment); }
  bool is_open(uint32_t segment) const { return !slots_.is_quarantined(segment); }

  SlotAllocator& slots() { return slots_; }
  const SlotAllocator& slots() const { return slots_; }
  uint64_t mapped_bytes() const { return mapped_bytes_.load(std::memory_order_relaxed); }
  std::string_view page_state() const { return source_->page_state(); }
  std::span<std::byte> bytes_of(const Slot& slot) TERRACE_EXCLUDES(mutex_);

 private:
  struct Memory {
    std::shared_ptr<Segment> segment;  // shared with who touches its pages
    uint64_t id = 0;
    SlotOwner writer = 0;  // besides the arena
    bool fresh = true;     // nobody's bytes are in it
    bool sealed = false;
  };
  // Maps it when it is not.
  Result<std::shared_ptr<Segment>> mapped(uint32_t segment) TERRACE_EXCLUDES(mutex_);
  Result<void> prepare(uint32_t segment, SlotOwner owner) TERRACE_EXCLUDES(mutex_);
  SharedMemory describe(const Memory& memory) const;

  std::unique_ptr<SegmentSource> source_;
  SlotAllocator slots_;
  std::atomic<uint64_t> mapped_bytes_{0};
  mutable base::Mutex mutex_;                                // a leaf: the warmer maps beside the store
  std::vector<Memory> memories_ TERRACE_GUARDED_BY(mutex_);  // by segment
  std::vector<uint64_t> replaced_ TERRACE_GUARDED_BY(mutex_);
  uint64_t last_id_ TERRACE_GUARDED_BY(mutex_) = 0;
};

}  // namespace terrace::memory
