// What the kernel says of a process.
#pragma once

#include <chrono>
#include <cstdint>

#include <sys/types.h>

namespace terrace::lab {

struct ProcessFigures {
  uint64_t rss_bytes = 0;
  uint64_t mappings = 0;
  uint64_t descriptors = 0;
  uint64_t threads = 0;
  uint64_t voluntary_switches = 0;  // of all threads there were; of another process, of those there are
  std::chrono::microseconds cpu{0};
};

ProcessFigures process_figures();
// Of another process; all zero of one that has ended.
ProcessFigures process_figures(pid_t process);
// Also of another process: what it has allocated for itself, and how many sockets, pidfds, eventfds and the
// like it has open; 0 of one that has ended.
uint64_t private_bytes(pid_t process);
uint64_t nameless_descriptors(pid_t process);
uint64_t rss_bytes();

}  // namespace terrace::lab
