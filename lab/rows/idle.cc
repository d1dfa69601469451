#include "lab/rows/idle.h"

#include <algorithm>
#include <filesystem>
#include <thread>

#include <unistd.h>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/bytes.h"
#include "lab/kit/process_figures.h"
#include "lab/kit/steady_load.h"
#include "lab/rows/child_report.h"
#include "lab/rows/growth.h"

namespace terrace::lab {
namespace {

constexpr uint64_t kCycles = 1000;
constexpr std::chrono::seconds kIdle{30}, kIdleQuick{5};
constexpr uint64_t kStepsBefore = 400;  // so that there is something to be idle about
constexpr uint64_t kJobs = 3;           // uring, psync, and a server

struct IdleChild {
  std::string directory;
  bool uring = true;
  uint64_t seconds = 5;
  uint64_t cycles = 100;
};

StoreOptions store_options(const IdleChild& child) {
  StoreOptions options;
  options.l1.budget = 16 * base::kMiB;
  TierOptions disk;
  disk.disk.paths = {child.directory + "/store"};
  disk.disk.capacity = 64 * base::kMiB;
  disk.disk.io = child.uring ? IoChoice::kAuto : IoChoice::kPsync;
  options.tiers = {disk};
  return options;
}

void be_idle(Store& store, const IdleChild& child, Findings& findings) {
  SteadyLoad load(store, {.chains = 64});
  base::Random random(1);
  LoadCounts did;
  for (uint64_t step = 0; step < kStepsBefore; ++step) load.step(random, did, findings);
  (void)store.sync(std::chrono::seconds(20));
  std::this_thread::sleep_for(kIdleSettle);
  const ProcessFigures before = process_figures();
  std::this_thread::sleep_for(std::chrono::seconds(child.seconds));
  check_idle(before, process_figures(), child.seconds, "", findings);
}

bool open_and_close(const IdleChild& child, Findings& findings) {
  auto store = Store::open(store_options(child));
  if (!store) {
    findings.fail("cannot open: " + store.error().message);
    return false;
  }
  if (!(*store)->wait_recovered(std::chrono::seconds(20))) findings.fail("it did not recover");
  const auto abandoned = (*store)->close(std::chrono::seconds(20));
  if (!abandoned || *abandoned > 0) findings.fail("it could not be closed in order");
  return true;
}

void open_and_close_often(const IdleChild& child, Findings& findings) {
  GrowthWatch watch(child.cycles);
  for (uint64_t cycle = 0; cycle < watch.cycles(); ++cycle) {
    if (!open_and_close(child, findings)) return;
    if (watch.wants(cycle)) watch.take(cycle, process_figures());
  }
  findings.count("cycles", child.cycles);
  watch.check("", findings);
}

int run_idle_child(const IdleChild& child) {
  Findings findings;
  {
    auto store = Store::open(store_options(child));
    if (store) be_idle(**store, child, findings);
    if (!store) findings.fail("cannot open: " + store.error().message);
  }
  open_and_close_often(child, findings);
  return tell(child.directory + "/report", findings);
}

}  // namespace

RunChild describe_idle_child(CLI::App& command) {
  const auto options = std::make_shared<IdleChild>();
  command.add_option("--dir", options->directory)->required();
  command.add_option("--uring", options->uring);
  command.add_option("--seconds", options->seconds);
  command.add_option("--cycles", options->cycles);
  return [options] { return run_idle_child(*options); };
}

namespace {

Findings idle_embedded(const RowOptions& options, bool uring, uint64_t seconds, uint64_t cycles) {
  const auto directory =
      std::filesystem::path(options.directory) / fmt::format("terrace-lab.idle.{}.{}", ::getpid(), uring);
  std::filesystem::create_directories(directory);
  ChildProcess child({options.program, "idle-child", "--dir", directory.string(), "--uring",
                      uring ? "1" : "0", "--seconds", std::to_string(seconds), "--cycles",
                      std::to_string(cycles)});
  Findings findings =
      heard_from(child, directory.string() + "/report", std::chrono::minutes(9), uring ? "uring" : "psync");
  std::filesystem::remove_all(directory);
  return findings;
}

}  // namespace

// All at once: mostly they sleep.
Findings run_idle(const RowOptions& options) {
  WorkerOptions workers = workers_of(options, 20);
  workers.first = std::min(options.seed, kJobs) - 1;
  workers.count = kJobs - workers.first;
  workers.processes = kJobs;
  workers.job_limit = std::chrono::minutes(10);
  workers.replay = [](uint64_t job) { return fmt::format("terrace-lab run --row 20 --seed {}", job + 1); };
  const uint64_t cycles = count_of(options, kCycles);
  const auto seconds = static_cast<uint64_t>((options.quick ? kIdleQuick : kIdle).count());
  return run_jobs(workers, [&](uint64_t job) {
    return job == 2 ? idle_served(options, seconds, cycles)
                    : idle_embedded(options, job == 0, seconds, cycles);
  });
}

}  // namespace terrace::lab
