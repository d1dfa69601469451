// What recovery holds while it reads one segment, and while it verifies records.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "memory/page_buffer.h"
#include "record/record.h"
#include "tier/disk/write.h"

namespace terrace::tier::disk {

using FoundEntry = std::pair<uint32_t, SlotEntry>;  // by slot index

// One segment's turn in recovery: however it ends, the next segment's begins. A turn that goes without having
// been settled had no memory to go on: what it did not announce stays on disk, out of reach of this life.
class Turn {
 public:
  Turn() = default;
  Turn(DiskVolume& volume, uint32_t segment) : volume_(&volume), segment_(segment) {}
  Turn(Turn&& other) noexcept { *this = std::move(other); }
  Turn& operator=(Turn&& other) noexcept {
    std::swap(volume_, other.volume_);
    std::swap(segment_, other.segment_);
    std::swap(settled_, other.settled_);
    return *this;
  }
  ~Turn();
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  void settle() { settled_ = true; }

 private:
  DiskVolume* volume_ = nullptr;
  uint32_t segment_ = 0;
  bool settled_ = false;
};

// The slot table of one segment.
struct Scan {
  uint32_t number = 0;
  std::unique_ptr<io::File> data, table;
  uint64_t data_bytes = 0, table_bytes = 0;  // lengths of the files
  memory::PageBuffer bytes;
  SegmentHeader header;
  std::vector<FoundEntry> entries;
  Result<void> read;
  Hold hold;
  Turn turn;  // ends before the hold does
};

// Records written after the last sync before a power cut: each is read and verified whole before it is
// announced.
struct RecordCheck {
  uint32_t number = 0;
  std::vector<FoundEntry> entries;  // the next last
  FoundBlock block;
  memory::PageBuffer buffer;  // header page, then one part
  std::optional<record::Verifier> verifier;
  uint32_t part = 0;
  Hold hold;
  Turn turn;
};

}  // namespace terrace::tier::disk
