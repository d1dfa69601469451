#include "cli/bench_process.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <string>

#include <fmt/format.h>

namespace terrace::cli {
namespace {

// What is told through the pipe: one byte of Code, then the message. Nothing when the work went well.
[[noreturn]] void run_and_exit(const std::function<Outcome<void>()>& work, int tell) {
  std::string told;
  try {
    const auto done = work();
    if (!done) told = static_cast<char>(done.error().error.code) + done.error().message;
  } catch (const std::exception& error) {
    told = static_cast<char>(Code::kInternal) + std::string(error.what());
  }
  // One write: a message that a pipe takes whole. The exit code counts if it cannot be told.
  if (!told.empty()) (void)!::write(tell, told.data(), told.size());
  ::_exit(told.empty() ? 0 : 1);  // no destructors, no second flush of this process's output
}

std::string read_all(int from) {
  std::string text;
  std::array<char, 4096> piece;
  for (;;) {
    const ssize_t got = ::read(from, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(piece.data(), static_cast<size_t>(got));
  }
}

std::unexpected<Failure> no_process(int error) {
  return failure(Code::kUnsupported, fmt::format("no second process: {}", std::strerror(error)), error);
}

}  // namespace

Outcome<void> in_another_process(const std::function<Outcome<void>()>& work) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return no_process(errno);
  const pid_t child = ::fork();
  if (child == 0) run_and_exit(work, ends[1]);
  const int error = errno;
  ::close(ends[1]);
  const std::string told = child > 0 ? read_all(ends[0]) : "";
  ::close(ends[0]);
  if (child < 0) return no_process(error);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return no_process(errno);
  }
  if (!told.empty()) return failure(static_cast<Code>(told[0]), told.substr(1));
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return failure(Code::kInternal, WIFSIGNALED(status)
                                      ? fmt::format("the first process ended by signal {}", WTERMSIG(status))
                                      : "the first process failed");
}

}  // namespace terrace::cli
