// What an experiment leaves behind: nothing, also when it is interrupted.
#pragma once

#include <csignal>
#include <cstdint>
#include <string>

#include <terrace/error.h>

namespace terrace::cli {

// A temporary directory inside `parent`, removed with all it holds. Errors: there is no such directory, it is
// not ours to write, or less than `needed_bytes` are free in it.
class ScratchDirectory {
 public:
  static Outcome<ScratchDirectory> make(const std::string& parent, uint64_t needed_bytes);
  ScratchDirectory(ScratchDirectory&& other) noexcept;
  ScratchDirectory& operator=(ScratchDirectory&&) = delete;
  ~ScratchDirectory();
  const std::string& path() const { return path_; }

 private:
  explicit ScratchDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// While it lives, SIGINT, SIGTERM and SIGHUP wait: the experiment asks check() often and unwinds, and then
// the signal ends the process as it does any other. Made before the first thread, which inherits it.
class SignalsWait {
 public:
  SignalsWait();
  ~SignalsWait();
  SignalsWait(const SignalsWait&) = delete;
  SignalsWait& operator=(const SignalsWait&) = delete;
  // kCancelled once a signal came.
  static Outcome<void> check();

 private:
  sigset_t before_;
};

}  // namespace terrace::cli
