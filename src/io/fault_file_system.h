// A decorator: does to any file system's calls what a FaultPlan says. Delays do not apply to them.
#pragma once

#include "io/fault_plan.h"
#include "io/file_system.h"

namespace terrace::io {

class FaultFileSystem final : public FileSystem {
 public:
  // Both outlive it. Files and locks are the inner file system's own.
  FaultFileSystem(FileSystem& files, FaultPlan& plan) : files_(files), plan_(plan) {}

  Result<std::unique_ptr<File>> open(const std::string& path, OpenOptions options) override;
  Result<FileStat> stat(const std::string& path) override { return files_.stat(path); }
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<void> make_directory(const std::string& path) override { return files_.make_directory(path); }
  Result<void> allocate(File& file, uint64_t bytes) override;
  Result<void> remove(const std::string& path) override;
  Result<void> sync_directory(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;
  Result<int64_t> lock_owner(const std::string& path) override { return files_.lock_owner(path); }
  Result<void> read(File& file, uint64_t offset, std::span<std::byte> to) override;
  Result<void> write(File& file, uint64_t offset, std::span<const std::byte> from) override;
  Result<void> sync(File& file) override;
  std::array<uint8_t, 16> boot_id() override { return files_.boot_id(); }
  void random_bytes(std::span<uint8_t> to) override { files_.random_bytes(to); }

 private:
  FileSystem& files_;
  FaultPlan& plan_;
};

}  // namespace terrace::io
