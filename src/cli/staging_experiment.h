// The experiment of `terrace bench staging`: an L1 that only stages, before a tier that holds everything,
// beside the same tier behind an L1 that holds everything too.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cli/bench_blocks.h"
#include "cli/bench_spread.h"

namespace terrace::cli {

struct StagingPlan {
  BenchChain chain;
  uint64_t l1_bytes = 0;     // of the staging side
  uint64_t large_bytes = 0;  // of the other one
  TierOptions tier{};        // of kDisk: `disk.paths` are a new directory each time, inside `directory`
  std::string directory{};
  uint32_t rounds = 1;
  double least_ratio = 0;
};

struct StagingRow {
  std::string tier;
  uint64_t blocks_stored = 0;  // of the round that stored or found least
  uint64_t blocks_found = 0;
  uint64_t wrong = 0;         // over all rounds
  uint64_t l1_bytes_max = 0;  // seen after any call that can make it grow
  uint64_t l1_bytes_end = 0;
  Spread staging{}, large{};  // bytes per second until everything was durable
  Spread ratio{};             // of each round's two
};

// Told how many bytes were stored or checked; a failure ends the experiment.
using EachBytes = std::function<Outcome<void>(uint64_t bytes)>;

Outcome<StagingRow> run_staging(const StagingPlan& plan, const EachBytes& each);
inline constexpr uint64_t kStagingPasses = 4;  // over the bytes a round: two sides store, and check

// What the experiment claims and this row does not show, a line each.
std::vector<std::string> broken_claims(const StagingPlan& plan, const StagingRow& row);

}  // namespace terrace::cli
