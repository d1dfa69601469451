// A control group of its own with a hard limit of memory, of version 1 or 2; gone with this object, when no
// process is in it any more.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <terrace/error.h>

namespace terrace::lab {

class MemoryCgroup {
 public:
  // Errors: what this machine does not allow, in words.
  static Outcome<std::unique_ptr<MemoryCgroup>> make(uint64_t limit_bytes);
  ~MemoryCgroup();
  MemoryCgroup(const MemoryCgroup&) = delete;
  MemoryCgroup& operator=(const MemoryCgroup&) = delete;

  // The calling process goes there; only system calls: for ChildProcess's `prepare`. Ends it with 126 when
  // refused.
  void enter() const;

 private:
  explicit MemoryCgroup(std::string path) : path_(std::move(path)), processes_(path_ + "/cgroup.procs") {}

  std::string path_, processes_;
};

}  // namespace terrace::lab
