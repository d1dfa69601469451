// RLIMIT_FSIZE: who writes beyond it is killed with SIGXFSZ, unless the signal is held back; then the call
// answers EFBIG, which is an error like any other.
#pragma once

#include <csignal>

namespace terrace::io {

// Holds the signal back from the calling thread while it stands, and for good from the threads that are
// started meanwhile.
class FileSizeSignalHeld {
 public:
  FileSizeSignalHeld();
  ~FileSizeSignalHeld();
  FileSizeSignalHeld(const FileSizeSignalHeld&) = delete;
  FileSizeSignalHeld& operator=(const FileSizeSignalHeld&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace terrace::io
