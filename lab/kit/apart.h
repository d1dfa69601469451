// Work whose surroundings cannot be put back: limits, filters of system calls, users and mounts stay with a
// process once they are set, so such work gets a process, and a directory, of its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "lab/kit/report.h"

namespace terrace::lab {

// Runs `work` in a forked process; that it crashed or did not end is a failure, told with `replay`. Call it
// while the process has one thread.
Findings run_apart(std::chrono::seconds limit, const std::string& replay,
                   const std::function<Findings()>& work);

// A directory below `base` (empty: where temporary files go) that goes with this object, whatever is in it.
class ScratchDirectory {
 public:
  ScratchDirectory(const std::string& base, std::string_view name);
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// This process is another user from here on, who owns `directory` and has no rights of root's. Empty when
// that worked, else why not.
std::string become_user(uint32_t user, const std::filesystem::path& directory);

}  // namespace terrace::lab
