// An open file. Made by a FileSystem, used by IoEngines of the same family (real, simulated).
#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace terrace::io {

class File {
 public:
  virtual ~File() = default;  // closes
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  int fd() const { return fd_; }                     // -1 in a simulated file system
  bool direct() const { return direct_; }            // O_DIRECT is in force
  uint32_t alignment() const { return alignment_; }  // of offsets, lengths and memory; 1 when buffered
  const std::string& path() const { return path_; }

 protected:
  File(std::string path, int fd, bool direct, uint32_t alignment)
      : path_(std::move(path)), fd_(fd), direct_(direct), alignment_(alignment) {}

 private:
  std::string path_;
  int fd_;
  bool direct_;
  uint32_t alignment_;
};

}  // namespace terrace::io
