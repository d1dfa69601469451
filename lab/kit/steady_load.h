// A plain load for rows that watch a process rather than search for corner cases: prefixes of skewed chains
// are asked for, verified, and what is missing of them is stored. Every error is counted; those that only say
// that the store was closed are none, once `stopping` is set. Any number of threads, each with its own Random
// and LoadCounts.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include <terrace/store.h>

#include "base/random.h"
#include "lab/kit/report.h"

namespace terrace::lab {

struct LoadOptions {
  uint64_t seed = 1;
  uint32_t chains = 256;
  uint32_t chain_blocks = 4;
  uint64_t bytes = 16 << 10;  // of a block
};

struct LoadCounts {
  uint64_t steps = 0, asked = 0, delivered = 0, stored = 0;
  void add(const LoadCounts& other);
};

class SteadyLoad {
 public:
  SteadyLoad(Store& store, const LoadOptions& options);

  // One prefix. False once the store said that it was closed, which it may only when `stopping`.
  bool step(base::Random& random, LoadCounts& counts, Findings& findings);
  // How many of the blocks that `picks` steps would ask for are there; touches nothing.
  uint64_t present(uint64_t seed, uint64_t picks, Findings& findings) const;
  // How many of them gets bring, with their own bytes; stores nothing.
  uint64_t fetched(uint64_t seed, uint64_t picks, Findings& findings) const;

  std::atomic<bool> stopping{false};

 private:
  std::vector<Key> draw(base::Random& random) const;
  bool ended(const Error& error, const char* what, Findings& findings) const;
  Result<Blocks> get(std::span<const Key> keys, Findings& findings) const;

  Store& store_;
  const LoadOptions options_;
  Key root_;
};

// `threads` of them at once, until `done` is set or the store was closed; the sum of what they did.
class LoadThreads {
 public:
  LoadThreads(SteadyLoad& load, uint32_t threads, uint64_t seed);
  ~LoadThreads();
  LoadThreads(const LoadThreads&) = delete;
  LoadThreads& operator=(const LoadThreads&) = delete;
  // Waits for the step each is in.
  LoadCounts stop(Findings& findings);
  uint64_t steps() const { return steps_.load(); }

 private:
  struct Thread;
  std::atomic<bool> done_{false};
  std::atomic<uint64_t> steps_{0};
  std::vector<std::unique_ptr<Thread>> threads_;
};

}  // namespace terrace::lab
