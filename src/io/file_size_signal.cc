#include "io/file_size_signal.h"

#include <ctime>

namespace terrace::io {
namespace {

sigset_t only_file_size() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGXFSZ);
  return set;
}

}  // namespace

FileSizeSignalHeld::FileSizeSignalHeld() {
  const sigset_t held = only_file_size();
  ::pthread_sigmask(SIG_BLOCK, &held, &before_);
}

// What came meanwhile was ours, and its call has answered: it must not kill now.
FileSizeSignalHeld::~FileSizeSignalHeld() {
  if (::sigismember(&before_, SIGXFSZ) == 1) return;
  const sigset_t held = only_file_size();
  const timespec at_once{};
  while (::sigtimedwait(&held, nullptr, &at_once) == SIGXFSZ) {
  }
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace terrace::io
