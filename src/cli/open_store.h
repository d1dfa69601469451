// Opens the store of a directory the way an operator's command wants it: recovered before it is used, with
// time limits that suit slow disks.
#pragma once

#include <memory>

#include <terrace/store.h>

#include "cli/arguments.h"

namespace terrace::cli {

// One operation of the store; far beyond what a healthy disk needs for a block of 256 MiB.
inline constexpr Timeout kOperationTimeout = std::chrono::seconds(120);
// Recovery and sync of a whole store.
inline constexpr Timeout kLongTimeout = std::chrono::minutes(30);

inline constexpr uint64_t kReaderMemory = 32ull << 20;  // where no block passes through memory
inline constexpr uint64_t kWriterMemory = 256ull << 20;

inline constexpr uint64_t kNewCapacity = 10ull << 30;

struct OpenRequest {
  bool may_create = false;          // else a directory without a store is refused
  uint64_t largest_block = 0;       // to come
  uint64_t memory = kReaderMemory;  // at least, unless --l1 says otherwise
};

Outcome<std::unique_ptr<Store>> open_store(const StoreArguments& arguments, OpenRequest request);

// Refuses what is not there, no directory, or empty: opening it would make a store of it.
Outcome<void> require_store(const std::string& directory);

}  // namespace terrace::cli
