#include "io/file_size_signal.h"

#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

namespace terrace::io {
namespace {

// In a process that ends afterwards: 0 when a write beyond the limit answered EFBIG.
[[noreturn]] void write_beyond_the_limit(bool held) {
  const rlimit none{.rlim_cur = 0, .rlim_max = 0};
  std::string path = testing::TempDir() + "terrace-file-size-XXXXXX";
  const int file = ::mkstemp(path.data());
  ::unlink(path.c_str());
  if (file < 0 || ::setrlimit(RLIMIT_FSIZE, &none) != 0) ::_exit(2);
  bool refused = false;
  if (held) {
    const FileSizeSignalHeld here;
    refused = ::pwrite(file, "x", 1, 0) < 0 && errno == EFBIG;
  } else {
    (void)!::pwrite(file, "x", 1, 0);
  }
  ::_exit(refused ? 0 : 3);
}

TEST(FileSizeSignalHeldDeathTest, turns_the_signal_into_an_error_that_leaves_nothing_behind) {
  EXPECT_EXIT(write_beyond_the_limit(true), testing::ExitedWithCode(0), "");
}

TEST(FileSizeSignalHeldDeathTest, without_it_the_process_is_killed) {
  EXPECT_EXIT(write_beyond_the_limit(false), testing::KilledBySignal(SIGXFSZ), "");
}

}  // namespace
}  // namespace terrace::io
