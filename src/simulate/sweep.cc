#include "simulate/sweep.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "policy/eviction.h"
#include "simulate/bounds.h"

namespace terrace::simulate {
namespace {

// The tiers of each replay of one policy.
std::vector<std::vector<uint64_t>> setups_of(const Question& question) {
  std::vector<std::vector<uint64_t>> setups;
  for (const uint64_t capacity : question.capacities) {
    for (const uint64_t disk : question.disk_capacities) setups.push_back({capacity, disk});
    if (question.disk_capacities.empty()) setups.push_back({capacity});
  }
  return setups;
}

Outcome<Figures> run_one(const Trace& trace, const CacheSetup& setup, const ReplayProgress& progress) {
  if (setup.policy == kUnbounded) return unbounded(trace);
  // What is written through is in both tiers: together they hold what the larger one does.
  if (setup.policy == kOptimum) return optimum(trace, std::ranges::max(setup.tier_blocks), progress);
  return replay(trace, setup, progress);
}

}  // namespace

std::vector<std::string_view> policy_names() {
  auto names = policy::eviction_policy_names();
  names.push_back(kOptimum);
  names.push_back(kUnbounded);
  return names;
}

Outcome<void> check_policy(std::string_view name) {
  const auto names = policy_names();
  if (std::ranges::find(names, name) != names.end()) return {};
  return failure(Code::kInvalidArgument, fmt::format("'{}' is not an eviction policy; allowed are: {}", name,
                                                     fmt::join(names, ", ")));
}

uint64_t replays_of(const Question& question) {
  const auto bounded =
      std::ranges::count_if(question.policies, [](const auto& p) { return p != kUnbounded; });
  return static_cast<uint64_t>(bounded) * setups_of(question).size();
}

Outcome<std::vector<Answer>> sweep(const Trace& trace, const Question& question, const base::Clock& clock,
                                   const ReplayProgress& progress) {
  std::vector<Answer> answers;
  uint64_t done = 0;
  for (const std::string& policy : question.policies) {
    for (const auto& tier_blocks : setups_of(question)) {
      const auto begin = clock.now();
      auto figures = run_one(trace, {policy, tier_blocks, question.chunk_blocks}, [&](uint64_t requests) {
        if (progress) progress(done + requests);
      });
      if (!figures) return std::unexpected(figures.error());
      const std::chrono::duration<double> took = clock.now() - begin;
      answers.push_back({policy, *std::move(figures), took.count()});
      if (policy == kUnbounded) break;
      done += trace.requests.size();
    }
  }
  return answers;
}

}  // namespace terrace::simulate
