#include "lab/kit/plain_machine.h"

#include <algorithm>

#include "base/random.h"
#include "io/io_engine.h"
#include "io/posix_file_system.h"
#include "io/scheduler.h"
#include "memory/page_buffer.h"
#include "store/storage_manager.h"
#include "tier/disk/disk_tier.h"

namespace terrace::lab {
namespace {

class FilledSegments final : public memory::SegmentSource {
 public:
  explicit FilledSegments(std::byte fill) : fill_(fill), heap_(memory::heap_segments()) {}
  Result<std::unique_ptr<memory::Segment>> map(uint64_t bytes) override {
    auto segment = heap_->map(bytes);
    if (segment) std::ranges::fill((*segment)->bytes(), fill_);
    return segment;
  }
  std::string_view page_state() const override { return "filled heap memory"; }

 private:
  const std::byte fill_;
  const std::unique_ptr<memory::SegmentSource> heap_;
};

// The system's files; what it draws, follows from the seed.
class DrawnFiles final : public io::FileSystem {
 public:
  explicit DrawnFiles(uint64_t seed) : random_(seed) {}

  Result<std::unique_ptr<io::File>> open(const std::string& path, io::OpenOptions options) override {
    return files_.open(path, options);
  }
  Result<io::FileStat> stat(const std::string& path) override { return files_.stat(path); }
  Result<std::vector<std::string>> list(const std::string& path) override { return files_.list(path); }
  Result<void> make_directory(const std::string& path) override { return files_.make_directory(path); }
  Result<void> allocate(io::File& file, uint64_t bytes) override { return files_.allocate(file, bytes); }
  Result<void> remove(const std::string& path) override { return files_.remove(path); }
  Result<void> sync_directory(const std::string& path) override { return files_.sync_directory(path); }
  Result<std::unique_ptr<io::FileLock>> lock(const std::string& path) override { return files_.lock(path); }
  Result<void> read(io::File& file, uint64_t offset, std::span<std::byte> to) override {
    return files_.read(file, offset, to);
  }
  Result<void> write(io::File& file, uint64_t offset, std::span<const std::byte> from) override {
    return files_.write(file, offset, from);
  }
  Result<void> sync(io::File& file) override { return files_.sync(file); }
  std::array<uint8_t, 16> boot_id() override { return {1}; }
  void random_bytes(std::span<uint8_t> to) override {
    for (uint8_t& byte : to) byte = static_cast<uint8_t>(random_.next());
  }

 private:
  io::PosixFileSystem files_;
  base::Random random_;
};

// Transfers inside submit; `done` comes later, as it has to.
class InlineEngine final : public io::IoEngine {
 public:
  InlineEngine(io::FileSystem& files, base::Executor& executor) : files_(files), executor_(executor) {}

  void submit(std::span<io::IoRequest> batch) override {
    for (io::IoRequest& request : batch) {
      executor_.post(
          [done = std::move(request.done), result = transfer(request)]() mutable { done(result); });
    }
  }
  io::IoEngineInfo info() const override { return {"inline", "bytes that follow from a seed", 16}; }
  void stop() override {}

 private:
  Result<void> transfer(io::IoRequest& request) {
    if (request.op == io::IoOp::kSync) return files_.sync(*request.file);
    Result<void> result;
    for (uint64_t offset = request.offset; const io::IoVec& piece : request.vec) {
      if (piece.bytes == 0) continue;
      const std::span bytes(static_cast<std::byte*>(piece.data), piece.bytes);
      result = request.op == io::IoOp::kRead ? files_.read(*request.file, offset, bytes)
                                             : files_.write(*request.file, offset, bytes);
      if (!result) return result;
      offset += piece.bytes;
    }
    return result;
  }

  io::FileSystem& files_;
  base::Executor& executor_;
};

}  // namespace

std::unique_ptr<memory::SegmentSource> filled_segments(std::byte fill) {
  return std::make_unique<FilledSegments>(fill);
}

struct PlainMachine::Process {
  Process(PlainMachine& machine, uint64_t seed)
      : files(seed), engine(files, machine.executor_), scheduler(engine, io::SchedulerOptions{}) {}

  DrawnFiles files;
  InlineEngine engine;
  io::IoScheduler scheduler;
};

PlainMachine::PlainMachine(PlainMachineOptions options)
    : options_(std::move(options)), executor_(options_.seed) {
  TierOptions disk = options_.disk_rules;
  disk.name = "disk";
  disk.disk.paths = options_.disk.paths;
  disk.disk.capacity = options_.disk.capacity_bytes;
  options_.store.tiers = {disk};
}

PlainMachine::~PlainMachine() {
  if (store_ != nullptr) stop(Timeout(0));
}

Outcome<void> PlainMachine::start() {
  auto process = std::make_shared<Process>(*this, options_.seed * 1'000 + ++lives_);
  auto tier =
      tier::disk::DiskTier::open(options_.disk, {executor_, executor_, process->files, {process->scheduler}});
  if (!tier) return std::unexpected(tier.error());
  store::StoreParts parts;
  parts.keep_alive = process;
  parts.clock = &executor_;
  parts.executor = &executor_;
  parts.tiers.push_back(std::move(*tier));
  parts.segments = filled_segments(options_.fill);
  auto manager = store::StorageManager::create(options_.store, std::move(parts));
  if (!manager) return std::unexpected(manager.error());
  store_ = std::make_unique<Store>(std::move(*manager));
  return {};
}

void PlainMachine::stop(Timeout drain) {
  (void)store_->close(drain);
  store_.reset();
}

}  // namespace terrace::lab
