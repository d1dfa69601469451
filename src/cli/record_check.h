// Reads a block's record from its data file and verifies every byte of it.
#pragma once

#include <optional>

#include "cli/offline_store.h"
#include "memory/page_buffer.h"

namespace terrace::cli {

// Single-threaded; keeps one buffer of a part's size.
class RecordCheck {
 public:
  explicit RecordCheck(io::FileSystem& files) : files_(files) {}

  // What is wrong; nothing when the record is whole and says what the slot entry says.
  std::optional<Damage> check(const OfflineStore& store, const OfflineSegment& segment,
                              const OfflineBlock& block);

 private:
  Result<void> verify(const OfflineStore& store, const OfflineSegment& segment, const OfflineBlock& block);
  Result<std::span<const std::byte>> read(io::File& file, uint64_t offset, uint64_t bytes);

  io::FileSystem& files_;
  memory::PageBuffer buffer_;
  std::string where_;  // the piece being verified: "header", "part 2 of 5"
};

}  // namespace terrace::cli
