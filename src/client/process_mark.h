// Which process this is, told without a system call: a number in a page that the kernel empties in a fork.
#pragma once

#include <cstdint>

namespace terrace::client {

class ProcessMark {
 public:
  // Of this process.
  static ProcessMark here();
  // False in a fork of the process that made it.
  bool is_here() const;

 private:
  explicit ProcessMark(uint64_t number) : number_(number) {}
  uint64_t number_;
};

}  // namespace terrace::client
