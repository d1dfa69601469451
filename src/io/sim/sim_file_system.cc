#include "io/sim/sim_file_system.h"

#include <utility>

#include "base/assert.h"

namespace terrace::io {
namespace {

class SimFileLock final : public FileLock {
 public:
  SimFileLock(SimDisk& disk, std::string path, uint64_t life)
      : disk_(disk), path_(std::move(path)), life_(life) {}
  ~SimFileLock() override { disk_.unlock(path_, life_); }

 private:
  SimDisk& disk_;
  const std::string path_;
  const uint64_t life_;
};

const SimFile& sim(const File& file) {
  TERRACE_ASSERT(file.fd() == -1);
  return static_cast<const SimFile&>(file);
}

void check_alignment(const File& file, uint64_t offset, uint64_t bytes) {
  TERRACE_ASSERT(offset % file.alignment() == 0 && bytes % file.alignment() == 0);
}

}  // namespace

SimFile::SimFile(std::string path, SimDisk& disk, SimDisk::Handle handle, OpenOptions options)
    : File(std::move(path), -1, options.direct && disk.options().direct,
           options.direct && disk.options().direct ? disk.options().alignment : 1),
      disk_(disk),
      handle_(handle),
      read_only_(options.read_only) {}

Result<std::unique_ptr<File>> SimFileSystem::open(const std::string& path, OpenOptions options) {
  const auto handle = disk_.open(path, options, life_);
  if (!handle) return std::unexpected(handle.error());
  return std::make_unique<SimFile>(path, disk_, *handle, options);
}

Result<void> SimFileSystem::allocate(File& file, uint64_t bytes) {
  return disk_.allocate(sim(file).handle(), bytes);
}

Result<std::unique_ptr<FileLock>> SimFileSystem::lock(const std::string& path) {
  if (auto locked = disk_.lock(path, life_); !locked) return std::unexpected(locked.error());
  return std::make_unique<SimFileLock>(disk_, path, life_);
}

Result<void> SimFileSystem::read(File& file, uint64_t offset, std::span<std::byte> to) {
  check_alignment(file, offset, to.size());
  return disk_.read(sim(file).handle(), offset, to);
}

Result<void> SimFileSystem::write(File& file, uint64_t offset, std::span<const std::byte> from) {
  check_alignment(file, offset, from.size());
  if (sim(file).is_read_only()) return fail(Code::kPermission, "the file was opened to read");
  return disk_.write(sim(file).handle(), offset, from);
}

Result<void> SimFileSystem::sync(File& file) {
  return disk_.sync(sim(file).handle());
}

}  // namespace terrace::io
