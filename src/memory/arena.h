// L1's memory: segments on huge pages behind one slot allocator. A buffer is (segment, offset, length). Not
// thread-safe: the store's mutex guards it; only the bytes themselves are used outside.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <terrace/error.h>

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
// pages where the machine has them, else shared memory with transparent huge pages where it allows them.
std::unique_ptr<SegmentSource> shared_segments();
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

class Arena {
 public:
  // `segment_bytes` x `segments` is the budget. Segments are mapped when first needed or by warm().
  Arena(std::unique_ptr<SegmentSource> source, uint64_t segment_bytes, uint32_t segments);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Errors: as SlotAllocator::allocate; kNoMemory when a segment cannot be mapped (its segment is then
  // withheld).
  Result<ArenaBuffer> allocate(uint64_t bytes);
  void free(const Slot& slot, uint64_t bytes);

  // Maps segment number `segment` if it is not; called from a background thread before it is needed, so that
  // the first touch is not paid by an engine. Thread-safe against the rest.
  Result<void> warm(uint32_t segment);

  SlotAllocator& slots() { return slots_; }
  const SlotAllocator& slots() const { return slots_; }
  uint64_t mapped_bytes() const { return mapped_bytes_.load(std::memory_order_relaxed); }
  std::string_view page_state() const { return source_->page_state(); }
  std::span<std::byte> bytes_of(const Slot& slot);

 private:
  Result<Segment*> mapped(uint32_t segment);  // maps it when it is not

  std::unique_ptr<SegmentSource> source_;
  SlotAllocator slots_;
  std::vector<std::atomic<Segment*>> mapped_;  // owned
  std::atomic<uint64_t> mapped_bytes_{0};
};

}  // namespace terrace::memory
