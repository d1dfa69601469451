// Everything a store did to its files, in order: what a power cut at any moment may have left follows from it
// (crash_states.h). The recorders stand between the store and the simulated disk.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "io/file_system.h"
#include "io/io_engine.h"

namespace terrace::lab {

// One event. Requests of an engine have a begin and an end, and are under way between the two; calls of the
// file system happen at once.
struct DiskEvent {
  enum class Kind : uint8_t {
    kCreate,         // `path` names `node` from now on
    kRemove,         // `path` names nothing
    kAllocate,       // the length of `node` is `offset`
    kWriteBegins,    // `content` at `offset` of `node`
    kWriteEnds,      // of the event `begun`
    kSyncBegins,     // of `node`
    kSyncEnds,       // of the event `begun`
    kDirectorySync,  // names in `path`
  };
  Kind kind = Kind::kCreate;
  uint64_t node = 0;
  uint64_t offset = 0;
  size_t begun = 0;
  std::string path{};
  std::vector<std::byte> content{};
  base::TimePoint when{};
};

class Recording {
 public:
  explicit Recording(const base::Clock& clock) : clock_(clock) {}

  const std::vector<DiskEvent>& events() const { return events_; }
  size_t size() const { return events_.size(); }

  // For the recorders. Returns the event's position.
  size_t add(DiskEvent event);
  void opened(const std::string& path, const io::File& file);
  uint64_t node_of(const io::File& file) const { return files_.at(&file); }
  void named(const std::string& path);  // made, if there was no such name
  void removed(const std::string& path);

 private:
  const base::Clock& clock_;
  std::vector<DiskEvent> events_;
  std::map<std::string, uint64_t> names_;
  std::map<const io::File*, uint64_t> files_;  // an address names the file opened last
  uint64_t last_node_ = 0;
};

class RecordingFileSystem final : public io::FileSystem {
 public:
  RecordingFileSystem(io::FileSystem& files, Recording& recording) : files_(files), recording_(recording) {}

  Result<std::unique_ptr<io::File>> open(const std::string& path, io::OpenOptions options) override;
  Result<io::FileStat> stat(const std::string& path) override { return files_.stat(path); }
  Result<std::vector<std::string>> list(const std::string& directory) override {
    return files_.list(directory);
  }
  Result<void> make_directory(const std::string& path) override { return files_.make_directory(path); }
  Result<void> allocate(io::File& file, uint64_t bytes) override;
  Result<void> remove(const std::string& path) override;
  Result<void> sync_directory(const std::string& path) override;
  Result<std::unique_ptr<io::FileLock>> lock(const std::string& path) override;
  Result<int64_t> lock_owner(const std::string& path) override { return files_.lock_owner(path); }
  Result<void> read(io::File& file, uint64_t offset, std::span<std::byte> to) override {
    return files_.read(file, offset, to);
  }
  Result<void> write(io::File& file, uint64_t offset, std::span<const std::byte> from) override;
  Result<void> sync(io::File& file) override;
  std::array<uint8_t, 16> boot_id() override { return files_.boot_id(); }
  void random_bytes(std::span<uint8_t> to) override { files_.random_bytes(to); }

 private:
  io::FileSystem& files_;
  Recording& recording_;
};

class RecordingEngine final : public io::IoEngine {
 public:
  RecordingEngine(std::unique_ptr<io::IoEngine> engine, Recording& recording)
      : engine_(std::move(engine)), recording_(recording) {}

  void submit(std::span<io::IoRequest> batch) override;
  io::IoEngineInfo info() const override { return engine_->info(); }
  void drain() override { engine_->drain(); }
  void stop() override { engine_->stop(); }

 private:
  std::unique_ptr<io::IoEngine> engine_;
  Recording& recording_;
};

}  // namespace terrace::lab
