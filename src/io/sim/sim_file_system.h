// The FileSystem of one simulated process on a SimDisk. A new life of the store gets a new one.
#pragma once

#include "io/file_system.h"
#include "io/sim/sim_disk.h"

namespace terrace::io {

class SimFile final : public File {
 public:
  SimFile(std::string path, SimDisk& disk, SimDisk::Handle handle, OpenOptions options);
  ~SimFile() override { disk_.close(handle_); }
  SimDisk::Handle handle() const { return handle_; }
  bool is_read_only() const { return read_only_; }

 private:
  SimDisk& disk_;
  const SimDisk::Handle handle_;
  const bool read_only_;
};

class SimFileSystem final : public FileSystem {
 public:
  explicit SimFileSystem(SimDisk& disk) : disk_(disk), life_(disk.lives()) {}

  Result<std::unique_ptr<File>> open(const std::string& path, OpenOptions options) override;
  Result<FileStat> stat(const std::string& path) override { return disk_.stat(path); }
  Result<std::vector<std::string>> list(const std::string& directory) override {
    return disk_.list(directory);
  }
  Result<void> make_directory(const std::string& path) override { return disk_.make_directory(path, life_); }
  Result<void> allocate(File& file, uint64_t bytes) override;
  Result<void> remove(const std::string& path) override { return disk_.remove(path, life_); }
  Result<void> sync_directory(const std::string& path) override { return disk_.sync_directory(path, life_); }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;
  Result<int64_t> lock_owner(const std::string& path) override { return disk_.lock_owner(path); }
  Result<void> read(File& file, uint64_t offset, std::span<std::byte> to) override;
  Result<void> write(File& file, uint64_t offset, std::span<const std::byte> from) override;
  Result<void> sync(File& file) override;
  std::array<uint8_t, 16> boot_id() override { return disk_.boot_id(); }
  void random_bytes(std::span<uint8_t> to) override { disk_.random_bytes(to); }

 private:
  SimDisk& disk_;
  const uint64_t life_;
};

}  // namespace terrace::io
