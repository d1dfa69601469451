// What the kernel says of this process.
#pragma once

#include <chrono>
#include <cstdint>

namespace terrace::lab {

struct ProcessFigures {
  uint64_t rss_bytes = 0;
  uint64_t mappings = 0;
  uint64_t descriptors = 0;
  uint64_t threads = 0;
  uint64_t voluntary_switches = 0;  // of all threads there were
  std::chrono::microseconds cpu{0};
};

ProcessFigures process_figures();
uint64_t rss_bytes();

}  // namespace terrace::lab
