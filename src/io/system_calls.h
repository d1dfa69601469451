// The blocking calls of the psync engine, as a table, so that tests can interrupt and shorten them.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>

namespace terrace::io {

// Each returns what the call returned, or -errno. Any thread.
class SystemCalls {
 public:
  virtual ~SystemCalls() = default;
  virtual int64_t read(int fd, std::span<const iovec> to, uint64_t offset);
  virtual int64_t write(int fd, std::span<const iovec> from, uint64_t offset);
  virtual int64_t sync(int fd);  // fdatasync
};

SystemCalls& system_calls();  // the operating system's

}  // namespace terrace::io
