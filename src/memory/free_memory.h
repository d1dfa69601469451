// How much memory this process could still take without others being pushed out of theirs.
#pragma once

#include <cstdint>
#include <string>

namespace terrace::memory {

struct FreeMemory {
  uint64_t bytes = 0;   // of the machine, or of the control group that leaves least
  uint64_t spared = 0;  // of them, what is left to everybody else
};

// From /proc/meminfo and the control groups (version 2) of this process. What cannot be read limits nothing.
FreeMemory free_memory();
// The same of files below `root`, for tests.
FreeMemory free_memory_below(const std::string& root);

}  // namespace terrace::memory
