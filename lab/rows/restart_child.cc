// The process of row 19: works until SIGTERM, then closes under its clients' hands.
#include <csignal>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/bytes.h"
#include "lab/kit/steady_load.h"
#include "lab/rows/child_report.h"
#include "lab/rows/restart.h"

namespace terrace::lab {
namespace {

constexpr Timeout kDrain = std::chrono::seconds(2);    // P13
constexpr std::chrono::milliseconds kDrainMost{4000};  // and what a busy machine adds
constexpr Timeout kRecovery = std::chrono::seconds(30);
constexpr uint32_t kThreads = 3;
constexpr uint64_t kPicks = 3000;  // of the sample that hit rates are taken from

struct RestartChild {
  std::string directory;
  uint64_t seed = 1;  // of the keys
  uint64_t life = 0;
};

void check_second_is_refused(const RestartChild& child, Findings& findings) {
  const auto second = Store::open(restart_store(child.seed, child.directory));
  if (second) return findings.fail("a second store opened the same directory");
  if (second.error().error.code != Code::kInUse) {
    findings.fail("a second store was refused, but not as in use: " + second.error().message);
  }
}

void wait_for_signal(int number) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  int got = 0;
  while (sigwait(&set, &got) != 0 || got != number) {
  }
}

void close_under_load(Store& store, SteadyLoad& load, Findings& findings) {
  load.stopping = true;
  const auto begun = std::chrono::steady_clock::now();
  const auto abandoned = store.close(kDrain);
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
  findings.count("abandoned", abandoned.value_or(0));
  findings.count("max_drain_ms", static_cast<uint64_t>(took.count()));
  if (took > kDrainMost) findings.fail(fmt::format("close took {} ms", took.count()));
}

void live(Store& store, const RestartChild& child, Findings& findings) {
  SteadyLoad load(store, restart_load(child.seed));
  if (!store.wait_recovered(kRecovery)) findings.fail("it did not recover");
  if (child.life > 0) findings.count("found_after", load.present(child.seed, kPicks, findings));
  check_second_is_refused(child, findings);
  LoadThreads threads(load, kThreads, child.seed * 1000 + child.life);
  std::ofstream(child.directory + "/working").put('1');
  wait_for_signal(SIGTERM);
  findings.count("found_before", load.present(child.seed, kPicks, findings));
  close_under_load(store, load, findings);
  const LoadCounts did = threads.stop(findings);
  findings.count("asked", did.asked);
  findings.count("delivered", did.delivered);
}

int run_restart_child(const RestartChild& child) {
  sigset_t set;  // taken by sigwait alone: before threads start
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  Findings findings;
  auto store = Store::open(restart_store(child.seed, child.directory));
  if (store) {
    live(**store, child, findings);
  } else {
    findings.fail("cannot open: " + store.error().message);
  }
  return tell(child.directory + "/report", findings);
}

}  // namespace

StoreOptions restart_store(uint64_t seed, const std::string& directory) {
  StoreOptions options;
  options.l1.budget = 8 * base::kMiB;
  TierOptions disk;
  disk.disk.paths = {directory + "/store"};
  disk.disk.capacity = seed % 2 == 0 ? 256 * base::kMiB : 24 * base::kMiB;
  disk.disk.io = seed / 2 % 2 == 0 ? IoChoice::kAuto : IoChoice::kPsync;
  options.tiers = {disk};
  return options;
}

LoadOptions restart_load(uint64_t seed) {
  return {.seed = seed, .chains = 768, .bytes = 16 * base::kKiB};
}

RunChild describe_restart_child(CLI::App& command) {
  const auto options = std::make_shared<RestartChild>();
  command.add_option("--dir", options->directory)->required();
  command.add_option("--seed", options->seed);
  command.add_option("--life", options->life);
  return [options] { return run_restart_child(*options); };
}

}  // namespace terrace::lab
