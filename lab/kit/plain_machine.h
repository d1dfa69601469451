// A store on real files whose bytes follow from a seed alone: virtual time, transfers inside submit, and
// random bytes that are drawn. For comparing what two runs leave on the disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <terrace/store.h>

#include "base/virtual_executor.h"
#include "memory/arena.h"
#include "tier/disk/options.h"

namespace terrace::lab {

// Heap memory that begins with `fill` in every byte: what is never written shows.
std::unique_ptr<memory::SegmentSource> filled_segments(std::byte fill);

struct PlainMachineOptions {
  uint64_t seed = 1;
  StoreOptions store;            // its tiers are the machine's to fill in
  tier::disk::DiskOptions disk;  // with one path
  TierOptions disk_rules;
  std::byte fill{};  // of the arena
};

class PlainMachine {
 public:
  explicit PlainMachine(PlainMachineOptions options);
  ~PlainMachine();
  PlainMachine(const PlainMachine&) = delete;
  PlainMachine& operator=(const PlainMachine&) = delete;

  // A life of the store on what the directory holds. Errors: as Store::open.
  Outcome<void> start();
  Store& store() { return *store_; }
  base::VirtualExecutor& time() { return executor_; }
  // Closes the store in order. Handles into it must be gone.
  void stop(Timeout drain);

 private:
  struct Process;

  PlainMachineOptions options_;
  base::VirtualExecutor executor_;
  std::unique_ptr<Store> store_;
  uint64_t lives_ = 0;
};

}  // namespace terrace::lab
