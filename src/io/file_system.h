// The control plane of files: what a store does at open, when it adds a segment, and on rare occasions. Calls
// are synchronous and may block; never made under a lock or on an engine's path. Implementations: the
// operating system's (posix_file_system.h), the simulator's (sim/), and a fault decorator.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <terrace/error.h>

#include "io/file.h"

namespace terrace::io {

struct OpenOptions {
  bool create = false;     // create when missing, mode 0600
  bool exclusive = false;  // with create: fail with kInUse when it exists
  bool direct = false;     // O_DIRECT if the file system takes it, else buffered (File::direct says)
  bool read_only = false;
};

struct FileStat {
  bool is_directory = false;
  uint64_t bytes = 0;
  uint64_t allocated_bytes = 0;  // blocks the file system holds for it
};

// Held until destroyed or the process ends (flock).
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Never follows a symbolic link at the last component.
  virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenOptions options) = 0;
  virtual Result<FileStat> stat(const std::string& path) = 0;
  // Names, without "." and "..", sorted.
  virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;
  // Makes the directory (mode 0700) and its parents; fine when it exists.
  virtual Result<void> make_directory(const std::string& path) = 0;
  // Sets the file's length to `bytes` and reserves its space; where the file system cannot reserve, the
  // length only.
  virtual Result<void> allocate(File& file, uint64_t bytes) = 0;
  virtual Result<void> remove(const std::string& path) = 0;
  // Makes creations and removals in the directory durable.
  virtual Result<void> sync_directory(const std::string& path) = 0;
  // Exclusive advisory lock; kInUse when another open file holds it. The owner's pid is written into the
  // file.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
  // The pid in a lock file, for messages. kNotFound when there is none.
  virtual Result<int64_t> lock_owner(const std::string& path) {
    (void)path;
    return fail(Code::kUnsupported, "this file system cannot tell who holds a lock");
  }

  // Blocking transfers for small control records (superblocks, headers). Whole or an error, as IoRequest.
  virtual Result<void> read(File& file, uint64_t offset, std::span<std::byte> to) = 0;
  virtual Result<void> write(File& file, uint64_t offset, std::span<const std::byte> from) = 0;
  virtual Result<void> sync(File& file) = 0;

  // Identifies this boot of the machine (/proc/sys/kernel/random/boot_id), 16 bytes; secret random bytes.
  virtual std::array<uint8_t, 16> boot_id() = 0;
  virtual void random_bytes(std::span<uint8_t> to) = 0;
};

}  // namespace terrace::io
