// Replays a trace through the policy code the store runs, in virtual time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <terrace/error.h>

#include "simulate/trace.h"

namespace terrace::simulate {

struct CacheSetup {
  std::string policy;                 // of every tier: policy/eviction_registry.cc, or a bound
  std::vector<uint64_t> tier_blocks;  // capacities: L1, then what is written through behind it; 1 or 2
  uint32_t chunk_blocks = 0;          // prefill stores this many blocks at a time; 0: the whole prompt
};

struct TierFigures {
  uint64_t capacity_blocks = 0;
  uint64_t prefix_hits = 0;  // delivered by this tier: held by it and by none before it
  uint64_t written_blocks = 0;
  uint64_t evicted_blocks = 0;
};

struct Figures {
  uint64_t accesses = 0;
  uint64_t hits = 0;         // blocks held by any tier when their request arrived
  uint64_t prefix_hits = 0;  // those of them before the request's first missing block
  std::vector<TierFigures> tiers;
};

// Called now and then with the requests replayed so far.
using ReplayProgress = std::function<void(uint64_t requests)>;

// What a request finds is sampled when it arrives; then its blocks are used, in every tier. With chunks the
// found prefix is used first, then the rest chunk by chunk, each later than the one before. The trace needs
// less than 2^32 - 1 blocks. Fails when the policy has no such name.
Outcome<Figures> replay(const Trace& trace, const CacheSetup& setup, const ReplayProgress& progress = {});

}  // namespace terrace::simulate
