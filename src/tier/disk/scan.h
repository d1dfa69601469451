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

// The slot table of one segment.
struct Scan {
  uint32_t number = 0;
  std::unique_ptr<io::File> data, table;
  uint64_t data_bytes = 0, table_bytes = 0;  // lengths of the files
  memory::PageBuffer bytes;
  SegmentHeader header;
  Result<void> read;
  Hold hold;
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
};

}  // namespace terrace::tier::disk
