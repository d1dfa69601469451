// The question an operator asks: every policy with every size.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "simulate/replay.h"

namespace terrace::simulate {

inline constexpr std::string_view kOptimum = "optimum";
inline constexpr std::string_view kUnbounded = "unbounded";

// The store's eviction policies, then the two bounds (bounds.h).
std::vector<std::string_view> policy_names();
// The failure lists the names there are.
Outcome<void> check_policy(std::string_view name);

struct Question {
  std::vector<std::string> policies;
  std::vector<uint64_t> capacities;       // of the first tier, in blocks
  std::vector<uint64_t> disk_capacities;  // of a second one behind it; empty: there is none
  uint32_t chunk_blocks = 0;
};

struct Answer {
  std::string policy;
  Figures figures;
  double seconds = 0;  // it took to replay
};

// Replays the whole question will take, for a progress bar, each of all requests of the trace.
uint64_t replays_of(const Question& question);

// An answer for each policy and size, in the order asked; `unbounded` has one, whatever the sizes. Fails when
// a policy has no such name.
Outcome<std::vector<Answer>> sweep(const Trace& trace, const Question& question, const base::Clock& clock,
                                   const ReplayProgress& progress = {});

}  // namespace terrace::simulate
