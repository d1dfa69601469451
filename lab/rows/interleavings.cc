#include "lab/rows/interleavings.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "lab/kit/hook_board.h"

namespace terrace::lab {
namespace {

constexpr uint32_t kQuickPreemptions = 2;  // where else there is no bound

// A protocol is job and seed 1 of them, the next one 2, and so on.
const Protocol& protocol_of(uint64_t seed) {
  return protocols()[(seed - 1) % protocols().size()];
}

std::string replay(uint64_t seed, const std::string& schedule) {
  return fmt::format("terrace-lab run --row 17 --seed {} --count 1 --schedule '{}'", seed, schedule);
}

}  // namespace

std::span<const Protocol> protocols() {
  static const std::vector<Protocol> all = [] {
    std::vector<Protocol> sum;
#if defined(TERRACE_HOOKS)
    for (const auto& some : {pin_protocols(), publish_protocols(), cancel_protocols(), stop_protocols()}) {
      sum.insert(sum.end(), some.begin(), some.end());
    }
#endif
    return sum;
  }();
  return all;
}

Findings interleave(const RowOptions& options, uint64_t seed) {
  const Protocol& protocol = protocol_of(seed);
  ExploreOptions how;
  how.preemptions = protocol.preemptions;
  if (options.quick) how.preemptions = how.preemptions ? *how.preemptions - 1 : kQuickPreemptions;
  how.schedule = options.schedule;
  Explored explored = explore(how, protocol.make);
  Findings findings = std::move(explored.findings);
  for (auto& failure : findings.failures) {
    failure = fmt::format("{}: {}; replay: {}", protocol.name, failure, replay(seed, explored.failing));
  }
  findings.count("schedules", explored.schedules);
  findings.count("protocols");
  findings.count("exhaustive", explored.whole ? 1 : 0);
  findings.count("within_bound", explored.bounded && !explored.whole ? 1 : 0);
  if (options.verbose) {
    fmt::print("{}: {} schedules, {}\n", protocol.name, explored.schedules,
               explored.whole ? "all there are"
                              : fmt::format("at most {} preemptions", how.preemptions.value_or(0)));
  }
  return findings;
}

Findings run_interleavings(const RowOptions& options) {
  if (!has_hooks()) {
    Findings findings;
    findings.skipped = "this build has no hooks";
    return findings;
  }
  WorkerOptions workers = workers_of(options, 17);
  workers.count = options.count.value_or(protocols().size());
  workers.job_limit = std::chrono::minutes(10);
  workers.replay = [](uint64_t seed) {
    return fmt::format("terrace-lab run --row 17 --seed {} --count 1", seed);
  };
  return run_jobs(workers, [&](uint64_t seed) { return interleave(options, seed); });
}

}  // namespace terrace::lab
