#include "io/system_calls.h"

#include <unistd.h>

#include <cerrno>

namespace terrace::io {
namespace {

int64_t or_errno(int64_t returned) {
  return returned < 0 ? -errno : returned;
}

}  // namespace

int64_t SystemCalls::read(int fd, std::span<const iovec> to, uint64_t offset) {
  return or_errno(::preadv(fd, to.data(), static_cast<int>(to.size()), static_cast<off_t>(offset)));
}

int64_t SystemCalls::write(int fd, std::span<const iovec> from, uint64_t offset) {
  return or_errno(::pwritev(fd, from.data(), static_cast<int>(from.size()), static_cast<off_t>(offset)));
}

int64_t SystemCalls::sync(int fd) {
  return or_errno(::fdatasync(fd));
}

SystemCalls& system_calls() {
  static SystemCalls calls;
  return calls;
}

}  // namespace terrace::io
