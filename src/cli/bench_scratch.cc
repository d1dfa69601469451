#include "cli/bench_scratch.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"

namespace terrace::cli {
namespace {

constexpr std::array kSignals{SIGINT, SIGTERM, SIGHUP};

}  // namespace

Outcome<ScratchDirectory> ScratchDirectory::make(const std::string& parent, uint64_t needed_bytes) {
  std::error_code error;
  const auto space = std::filesystem::space(parent, error);
  if (error) {
    return failure(Code::kNotFound, fmt::format("--dir {}: {}", parent, error.message()), error.value());
  }
  if (space.available < needed_bytes) {
    return failure(Code::kNoSpace,
                   fmt::format("--dir {}: {} are free, {} are needed: name another one", parent,
                               base::format_size(space.available), base::format_size(needed_bytes)));
  }
  std::string path = parent + "/terrace-bench-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) {
    const int why = errno;
    const bool wrong = why == ENOTDIR || why == EACCES || why == EROFS;
    return failure(wrong ? Code::kPermission : Code::kIo,
                   fmt::format("--dir {}: no directory can be made there: {}", parent, std::strerror(why)),
                   why);
  }
  return ScratchDirectory(std::move(path));
}

ScratchDirectory::ScratchDirectory(ScratchDirectory&& other) noexcept
    : path_(std::exchange(other.path_, {})) {}

ScratchDirectory::~ScratchDirectory() {
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

SignalsWait::SignalsWait() {
  sigset_t wait;
  sigemptyset(&wait);
  for (const int signal : kSignals) sigaddset(&wait, signal);
  pthread_sigmask(SIG_BLOCK, &wait, &before_);
}

SignalsWait::~SignalsWait() {
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

Outcome<void> SignalsWait::check() {
  sigset_t pending;
  sigpending(&pending);
  for (const int signal : kSignals) {
    if (sigismember(&pending, signal) == 1) return failure(Code::kCancelled, "interrupted");
  }
  return {};
}

}  // namespace terrace::cli
