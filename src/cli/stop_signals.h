// SIGTERM and SIGINT as requests to stop.
#pragma once

#include <csignal>

namespace terrace::cli {

// Made before the first thread, which inherits that the signals wait. Ignores SIGPIPE from then on: a reader
// that went is an error of the write.
class StopSignals {
 public:
  StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // Blocks until one came, and says which. By the thread that made this, as the next.
  int wait();
  // Forgets what came since, and has the next one end the process at once.
  void let_the_next_end();

 private:
  sigset_t signals_;
};

}  // namespace terrace::cli
