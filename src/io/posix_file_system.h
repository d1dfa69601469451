// The operating system's files. Any thread; every call may block.
#pragma once

#include "io/file_system.h"

namespace terrace::io {

class PosixFileSystem final : public FileSystem {
 public:
  // Only regular files: anything else at `path`, a symbolic link included, is kForeign.
  Result<std::unique_ptr<File>> open(const std::string& path, OpenOptions options) override;
  Result<FileStat> stat(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<void> make_directory(const std::string& path) override;
  Result<void> allocate(File& file, uint64_t bytes) override;
  Result<void> remove(const std::string& path) override;
  Result<void> sync_directory(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;
  Result<int64_t> lock_owner(const std::string& path) override;
  // On a direct file offset and length are aligned; memory need not be.
  Result<void> read(File& file, uint64_t offset, std::span<std::byte> to) override;
  Result<void> write(File& file, uint64_t offset, std::span<const std::byte> from) override;
  Result<void> sync(File& file) override;
  // Random where the kernel does not tell: then every open is another boot, and everything is verified.
  std::array<uint8_t, 16> boot_id() override;
  void random_bytes(std::span<uint8_t> to) override;
};

}  // namespace terrace::io
