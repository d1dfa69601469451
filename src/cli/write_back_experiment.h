// The experiment of `terrace bench write-back`: blocks that another process stored in a shared tier, asked
// for twice on a store that is new to them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cli/bench_blocks.h"
#include "cli/bench_spread.h"

namespace terrace::cli {

struct WriteBackPlan {
  BenchChain chain;
  std::string backing;            // the directory that holds the shared tier
  uint64_t bytes_per_second = 0;  // of the network before it
  Timeout latency{};
  uint32_t rounds = 1;
};

struct WriteBackRow {
  std::string path;  // get, get_async, prefetch
  bool write_back = false;
  Spread first_ms{}, second_ms{};
  std::string first_source{}, second_source{};  // "l1", the tier's name, or "mixed"
  uint64_t wrong = 0;                           // blocks, over both queries
};

inline constexpr const char* kSharedName = "shared";

// Stores the chain in the shared tier, from a process of its own. Call it before any thread exists.
Outcome<void> store_elsewhere(const WriteBackPlan& plan);
// A row for each path, with write-back and without. `each` is called after every query.
Outcome<std::vector<WriteBackRow>> run_write_back(const WriteBackPlan& plan, const EachBlock& each);
inline constexpr uint64_t kWriteBackQueries = 12;  // a round

// What the experiment claims and this row does not show, a line each.
std::vector<std::string> broken_claims(const WriteBackRow& row);

}  // namespace terrace::cli
