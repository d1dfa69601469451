// Our side of the disk rows: a real store with an L1 of 1 GiB and one disk tier, written and read the way an
// engine does. Blocks come in chains of about 64 MiB (a prompt's blocks), each chain under its own head.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <terrace/store.h>

#include "bench/measure.h"

namespace terrace::bench {

struct StoreDeviceOptions {
  std::string directory;
  IoChoice io = IoChoice::kAuto;
  uint64_t block = 0;
  uint64_t capacity = 0;  // of the disk tier
  uint64_t l1_bytes = 0;
  uint64_t window_bytes =
      0;  // what read() goes around in; must be well above l1_bytes, so that nothing is in L1
};

// Ends a stretch of work: after `bytes` (when not 0) or `seconds` (when not 0).
struct Extent {
  uint64_t bytes = 0;
  double seconds = 0;
};

class StoreDevice {
 public:
  explicit StoreDevice(const StoreDeviceOptions& options);

  // New blocks: reserve, commit, until every write has ended on the device. The buffers keep what they held:
  // filling them is the caller's work, and the bare loop does not do it either.
  Sample write(Extent extent);
  // Writes until the tier had to evict, so that every later write goes to a place that was written before.
  void settle();
  // Chains of the window, oldest first, around and around. Every block must come from the disk.
  Sample read(Extent extent);
  // One reader and one writer at once; read first, written second.
  std::pair<Sample, Sample> mixed(double seconds);
  // Puts the window over the chains written last.
  void set_window();
  // Waits until nothing is left to write behind.
  void sync();
  std::string engine() const;

 private:
  uint64_t write_chain(const std::shared_ptr<CompletionQueue>& queue, uint64_t chain);
  uint64_t count_batches(CompletionQueue& queue, bool wait);
  GetOperation start_read(const std::shared_ptr<CompletionQueue>& queue, uint64_t slot);
  void check_read(GetOperation& operation);
  uint64_t chain_bytes() const { return options_.block * chain_blocks_; }
  std::vector<Key> keys_of(uint64_t chain) const;
  void warm_arena();

  StoreDeviceOptions options_;
  uint64_t chain_blocks_;
  std::unique_ptr<Store> store_;
  Key root_;
  std::atomic<uint64_t> next_chain_{0};
  uint64_t window_begin_ = 0, window_chains_ = 0, next_read_ = 0;
};

// The words of --io.
IoChoice io_choice(const std::string& word);

}  // namespace terrace::bench
