// A simulated machine: virtual time, a disk that outlives the store on it, and a plan of what goes wrong. The
// whole store runs on it: terrace::Store over StorageManager, the disk tier, schedulers, the simulated
// engine.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <terrace/store.h>

#include "base/virtual_executor.h"
#include "io/fault_plan.h"
#include "io/scheduler.h"
#include "io/sim/sim_disk.h"
#include "lab/kit/short_engine.h"
#include "tier/disk/options.h"
#include "tier/mock/mock_tier.h"

namespace terrace::memory {
class SegmentSource;
}
namespace terrace::store {
class StorageManager;
}

namespace terrace::lab {

class Recording;

struct MachineOptions {
  uint64_t seed = 1;
  StoreOptions store;            // its tiers are the machine's to fill in
  tier::disk::DiskOptions disk;  // paths and capacity among them
  TierOptions disk_rules;        // the policies of the disk tier
  struct Mock {
    bool first = false;     // nearer than the disk
    uint64_t capacity = 0;  // 0: no bound
    tier::mock::MockOptions tier;
    TierOptions rules;  // its policies
  };
  std::optional<Mock> mock;  // a second tier
  io::SimDiskOptions sim_disk;
  ShortTransfers short_transfers;  // of the devices; none by default
  base::Duration latency = std::chrono::microseconds(80);
  double bytes_per_ns = 2.0;
  std::optional<std::byte> arena_fill{};  // what the arena's memory begins with; absent: zeros
  bool shared_memory = false;             // L1's, so that clients of a server can map it
};

class Machine {
 public:
  explicit Machine(const MachineOptions& options);
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  // Everything later stores do to the disk is noted down there.
  void record(Recording& recording) { recording_ = &recording; }
  // Starts a store on what the disk holds. Errors: as Store::open.
  Outcome<void> start();
  Store& store() { return *store_; }
  // What is behind it, for a server. Null while no store runs.
  std::shared_ptr<store::StorageManager> manager() const { return manager_.lock(); }
  bool running() const { return store_ != nullptr; }
  // Ends the store in order. Handles into it must be gone. Returns what close() abandoned, UINT64_MAX for an
  // error.
  uint64_t stop(Timeout drain);
  // kill -9, or a power cut drawn from `random`. The store still exists afterwards, dead: drop every handle,
  // bury().
  void kill() { disk_.kill(); }
  void cut_power(base::Random& random) { disk_.crash(random); }
  void bury();
  // After stop() or bury(): the store's memory has been given back, once everything that was posted has run.
  bool store_is_gone() const { return manager_.expired(); }

  // What the wall clock of the lives to come makes of order of use (StoreParts::use_time_base).
  void set_wall_time(uint64_t base) { wall_time_ = base; }

  base::VirtualExecutor& time() { return executor_; }
  io::SimDisk& disk() { return disk_; }
  io::FaultPlan& faults() { return faults_; }
  // Of a machine whose options have some.
  ShortTransfers& short_transfers() { return short_transfers_; }
  const MachineOptions& options() const { return options_; }
  // Of the lives to come.
  void resize(uint64_t disk_capacity, uint64_t l1_budget) {
    options_.disk.capacity_bytes = disk_capacity;
    options_.store.l1.budget = l1_budget;
  }
  // Absent without a mock tier, and while no store runs.
  tier::mock::MockTier* mock() { return running() ? mock_ : nullptr; }
  // Of each path's device; none while no store runs.
  std::vector<io::SchedulerStats> io_stats() const;
  uint16_t tiers() const { return options_.mock ? 2 : 1; }
  uint16_t disk_tier() const { return options_.mock && options_.mock->first ? 2 : 1; }

 private:
  struct Process;
  std::unique_ptr<memory::SegmentSource> segments() const;

  MachineOptions options_;
  base::VirtualExecutor executor_;
  io::SimDisk disk_;
  io::FaultPlan faults_;
  ShortTransfers short_transfers_;
  Recording* recording_ = nullptr;
  uint64_t lives_ = 0;
  uint64_t wall_time_ = 0;
  std::shared_ptr<tier::mock::MockBacking> mock_backing_;
  tier::mock::MockTier* mock_ = nullptr;  // the store's
  std::unique_ptr<Store> store_;
  std::weak_ptr<store::StorageManager> manager_;
  std::weak_ptr<Process> process_;
};

}  // namespace terrace::lab
