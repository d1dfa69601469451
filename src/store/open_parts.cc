#include "store/open_parts.h"

#include <system_error>
#include <thread>

#include "base/bytes.h"
#include "base/thread_executor.h"
#include "io/file_size_signal.h"
#include "io/make_engine.h"
#include "io/posix_file_system.h"
#include "io/scheduler.h"
#include "tier/disk/disk_tier.h"
#include "tier/mock/directory_backing.h"
#include "tier/mock/mock_tier.h"

namespace terrace::store {

namespace {

constexpr uint32_t kEngineDepth = 64;

// Bytes at the device at which it is fastest: two records of 16 MiB loading, two of 32 MiB being written
// (docs/perf.md); four writes beside loads keep a writer above a tenth of its rate alone (docs/adr/0007).
constexpr io::SchedulerOptions kScheduling{
    .load_bytes = 33 * base::kMiB, .write_bytes = 72 * base::kMiB, .writes_beside_loads = 4};

// One device's data path.
struct Device {
  std::unique_ptr<io::IoEngine> engine;
  std::unique_ptr<io::IoScheduler> scheduler;
  ~Device() {
    scheduler.reset();
    engine->stop();
  }
};

// Everything a store runs on that is not the store's: members go in reverse, IO before the executors it posts
// to.
struct Machine {
  base::SteadyClock clock;
  base::ThreadExecutor executor{"terrace-store"};
  base::ThreadExecutor disk_executor{"terrace-disk"};
  std::vector<std::unique_ptr<base::ThreadExecutor>> mock_executors;
  io::PosixFileSystem files;
  std::vector<std::unique_ptr<Device>> devices;
  std::thread::id executor_thread;

  Machine() {
    base::Event known;
    executor.post([&] {
      executor_thread = std::this_thread::get_id();
      executor.signal(known);
    });
    executor.wait(known, base::kForever);
  }

  // The last handle of an abandoned store may go on the executor's own thread, which cannot join itself.
  static void destroy(Machine* machine) {
    if (std::this_thread::get_id() == machine->executor_thread) {
      std::thread([machine] { std::unique_ptr<Machine>{machine}; }).detach();
    } else {
      std::unique_ptr<Machine>{machine};
    }
  }
};

io::EngineChoice engine_choice(IoChoice choice) {
  switch (choice) {
    case IoChoice::kAuto:
      return io::EngineChoice::kAuto;
    case IoChoice::kUring:
      return io::EngineChoice::kUring;
    case IoChoice::kPsync:
      return io::EngineChoice::kPsync;
  }
  return io::EngineChoice::kAuto;
}

Outcome<std::unique_ptr<tier::Tier>> open_disk(const DiskOptions& options, Machine& machine) {
  tier::disk::DiskOptions disk;
  disk.paths = options.paths;
  disk.capacity_bytes = options.capacity;
  disk.path_choice = options.placement == DiskPlacement::kByKey ? tier::disk::PathChoice::kByKey
                                                                : tier::disk::PathChoice::kByRank;
  disk.require_all_paths = options.require_all_paths;
  disk.sync_interval = options.sync_interval;
  disk.sync_bytes = options.sync_bytes;
  disk.quarantine_after = options.quarantine_after;
  tier::disk::DiskParts parts{machine.clock, machine.disk_executor, machine.files, {}};
  for (const std::string& path : options.paths) {
    auto engine = io::make_engine(engine_choice(options.io), kEngineDepth);
    if (!engine) {
      return failure(engine.error().code, "io: " + to_string(engine.error()) + " (for " + path + ")",
                     engine.error().sys_errno);
    }
    auto device = std::make_unique<Device>();
    device->engine = std::move(*engine);
    device->scheduler = std::make_unique<io::IoScheduler>(*device->engine, kScheduling);
    parts.schedulers.emplace_back(*device->scheduler);
    machine.devices.push_back(std::move(device));
  }
  auto tier = tier::disk::DiskTier::open(disk, parts);
  if (!tier) return std::unexpected(tier.error());
  return std::unique_ptr<tier::Tier>(std::move(*tier));
}

Outcome<std::unique_ptr<tier::Tier>> open_mock(const TierOptions& options, Machine& machine) {
  tier::mock::MockOptions mock;
  mock.name = options.name;
  mock.latency = options.mock.latency;
  constexpr double kUnlimited = 1000;  // bytes a nanosecond: far beyond memory
  mock.bytes_per_ns = options.mock.bytes_per_second == 0
                          ? kUnlimited
                          : static_cast<double>(options.mock.bytes_per_second) * 1e-9;
  std::shared_ptr<tier::mock::MockBacking> backing;
  if (options.mock.backing.empty()) {
    backing = std::make_shared<tier::mock::MemoryBacking>(options.mock.capacity);
  } else {
    auto shared = tier::mock::DirectoryBacking::open(options.mock.backing, options.mock.capacity);
    if (!shared) return std::unexpected(shared.error());
    backing = std::move(*shared);
    mock.exact_index = false;
  }
  // Its copies take time: they have a thread of their own, as a device has.
  machine.mock_executors.push_back(std::make_unique<base::ThreadExecutor>("terrace-mock"));
  return std::make_unique<tier::mock::MockTier>(mock, std::move(backing), machine.clock,
                                                *machine.mock_executors.back());
}

Outcome<StoreParts> make_parts(const StoreOptions& options) {
  std::shared_ptr<Machine> machine(new Machine, Machine::destroy);
  StoreParts parts;
  parts.clock = &machine->clock;
  parts.executor = &machine->executor;
  parts.segments = memory::anonymous_segments();
  // Order of use goes on growing over restarts: wall time orders lives well enough, and nothing else depends
  // on it.
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  const auto steady = machine->clock.now().time_since_epoch();
  parts.use_time_base =
      static_cast<uint64_t>(std::chrono::duration_cast<base::Duration>(wall).count() - steady.count());
  for (const TierOptions& tier : options.tiers) {
    if (tier.kind == TierOptions::Kind::kDisk) {
      auto opened = open_disk(tier.disk, *machine);
      if (!opened) return std::unexpected(opened.error());
      parts.tiers.push_back(std::move(*opened));
    } else {
      auto opened = open_mock(tier, *machine);
      if (!opened) return std::unexpected(opened.error());
      parts.tiers.push_back(std::move(*opened));
    }
  }
  parts.keep_alive = std::move(machine);
  return parts;
}

}  // namespace

Outcome<StoreParts> open_parts(const StoreOptions& options) {
  const io::FileSizeSignalHeld held;  // also for every thread of the store
  try {
    return make_parts(options);
  } catch (const std::system_error& error) {
    return failure(Code::kUnavailable, std::string("no thread for the store: ") + error.what(),
                   error.code().value());
  }
}

}  // namespace terrace::store
