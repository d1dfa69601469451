#include "lab/kit/machine.h"

#include "io/fault_engine.h"
#include "io/fault_file_system.h"
#include "io/sim/sim_engine.h"
#include "io/sim/sim_file_system.h"
#include "lab/kit/plain_machine.h"
#include "lab/kit/recorder.h"
#include "memory/arena.h"
#include "store/storage_manager.h"
#include "tier/disk/disk_tier.h"

namespace terrace::lab {

// What one life of the store runs on; goes when its last user does.
struct Machine::Process {
  Process(Machine& machine, uint64_t seed)
      : files(machine.disk_),
        recording_files(machine.recording_ == nullptr
                            ? nullptr
                            : std::make_unique<RecordingFileSystem>(files, *machine.recording_)),
        faulty_files(recording_files ? static_cast<io::FileSystem&>(*recording_files) : files,
                     machine.faults_) {
    for (size_t path = 0; path < machine.options_.disk.paths.size(); path++) {
      io::SimEngineOptions how;
      how.seed = seed + path;
      how.latency = machine.options_.latency;
      how.read_bytes_per_ns = how.write_bytes_per_ns = machine.options_.bytes_per_ns;
      std::unique_ptr<io::IoEngine> engine =
          std::make_unique<io::SimEngine>(machine.disk_, machine.executor_, machine.executor_, how);
      if (machine.recording_ != nullptr) {
        engine = std::make_unique<RecordingEngine>(std::move(engine), *machine.recording_);
      }
      if (machine.options_.short_transfers.any()) {
        engine = std::make_unique<ShortEngine>(std::move(engine), machine.short_transfers_, seed + path);
      }
      engines.push_back(std::make_unique<io::FaultEngine>(std::move(engine), machine.faults_,
                                                          machine.executor_, machine.executor_));
      schedulers.push_back(std::make_unique<io::IoScheduler>(*engines.back(), io::SchedulerOptions{}));
    }
  }

  io::SimFileSystem files;
  std::unique_ptr<RecordingFileSystem> recording_files;  // or null
  io::FaultFileSystem faulty_files;
  std::vector<std::unique_ptr<io::FaultEngine>> engines;
  std::vector<std::unique_ptr<io::IoScheduler>> schedulers;
};

namespace {

constexpr base::Duration kAfterlife = std::chrono::seconds(30);  // longer than any stall

MachineOptions completed(MachineOptions options) {
  options.sim_disk.seed = options.seed;
  TierOptions disk = options.disk_rules;
  disk.name = "disk";
  disk.disk.paths = options.disk.paths;
  disk.disk.capacity = options.disk.capacity_bytes;
  options.store.tiers = {disk};
  if (options.mock) {
    TierOptions mock = options.mock->rules;
    mock.kind = TierOptions::Kind::kMock;
    mock.name = options.mock->tier.name;
    options.store.tiers.insert(options.mock->first ? options.store.tiers.begin() : options.store.tiers.end(),
                               mock);
  }
  return options;
}

}  // namespace

Machine::Machine(const MachineOptions& options)
    : options_(completed(options)),
      executor_(options.seed),
      disk_(options_.sim_disk),
      faults_(options.seed ^ 0xFA017),
      short_transfers_(options.short_transfers) {}

Machine::~Machine() {
  if (store_ != nullptr) bury();
}

Outcome<void> Machine::start() {
  const uint64_t seed = options_.seed * 1'000 + ++lives_;
  auto process = std::make_shared<Process>(*this, seed);
  process_ = process;
  tier::disk::DiskParts disk_parts{executor_, executor_, process->faulty_files, {}};
  for (const auto& scheduler : process->schedulers) disk_parts.schedulers.push_back(*scheduler);
  auto tier = tier::disk::DiskTier::open(options_.disk, disk_parts);
  if (!tier) return std::unexpected(tier.error());
  store::StoreParts parts;
  parts.keep_alive = process;
  parts.clock = &executor_;
  parts.executor = &executor_;
  parts.use_time_base = wall_time_;
  parts.tiers.push_back(std::move(*tier));
  if (options_.mock) {
    if (mock_backing_ == nullptr || !options_.mock->tier.survives_restart) {
      mock_backing_ = std::make_shared<tier::mock::MemoryBacking>(options_.mock->capacity, seed);
    }
    auto mock =
        std::make_unique<tier::mock::MockTier>(options_.mock->tier, mock_backing_, executor_, executor_);
    mock_ = mock.get();
    parts.tiers.insert(options_.mock->first ? parts.tiers.begin() : parts.tiers.end(), std::move(mock));
  }
  parts.segments = segments();
  auto manager = store::StorageManager::create(options_.store, std::move(parts));
  if (!manager) return std::unexpected(manager.error());
  manager_ = *manager;
  store_ = std::make_unique<Store>(std::move(*manager));
  return {};
}

// Of shared memory as much as is asked for: what a run does does not follow from what else this machine does.
std::unique_ptr<memory::SegmentSource> Machine::segments() const {
  if (options_.shared_memory)
    return memory::shared_segments([] { return memory::FreeMemory{.bytes = UINT64_MAX}; });
  return options_.arena_fill ? filled_segments(*options_.arena_fill) : memory::heap_segments();
}

std::vector<io::SchedulerStats> Machine::io_stats() const {
  std::vector<io::SchedulerStats> stats;
  const auto process = process_.lock();
  if (!process || !running()) return stats;
  for (const auto& scheduler : process->schedulers) stats.push_back(scheduler->stats());
  return stats;
}

uint64_t Machine::stop(Timeout drain) {
  const auto abandoned = store_->close(drain);
  store_.reset();
  return abandoned.value_or(UINT64_MAX);
}

// The real one runs no destructor. Here its requests have to end, as kClosed, before its memory can go.
void Machine::bury() {
  store_->close(Timeout(0)).value_or(0);
  executor_.run_for(kAfterlife);
  store_.reset();
}

}  // namespace terrace::lab
