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

namespace terrace::lab {
namespace {

constexpr uint64_t kCycles = 1000;
constexpr std::chrono::seconds kIdle{30}, kIdleQuick{5};
constexpr uint64_t kCpuPerMille = 2;                // of the idle time, P14
constexpr uint64_t kGrowthMost = 2 * base::kMiB;    // of resident memory, over all cycles
constexpr uint64_t kStepsBefore = 400;              // so that there is something to be idle about
constexpr std::chrono::milliseconds kSettle{1500};  // a group sync, and what it wakes

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

// Nothing grows from `before` to `after`.
void compare(const ProcessFigures& before, const ProcessFigures& after, std::string_view when,
             Findings& findings) {
  const auto grew = [&](std::string_view what, uint64_t from, uint64_t to) {
    if (to > from) findings.fail(fmt::format("{}: {} {} became {}", when, from, what, to));
  };
  grew("descriptors", before.descriptors, after.descriptors);
  grew("threads", before.threads, after.threads);
}

void be_idle(Store& store, const IdleChild& child, Findings& findings) {
  SteadyLoad load(store, {.chains = 64});
  base::Random random(1);
  LoadCounts did;
  for (uint64_t step = 0; step < kStepsBefore; ++step) load.step(random, did, findings);
  (void)store.sync(std::chrono::seconds(20));
  std::this_thread::sleep_for(kSettle);
  const ProcessFigures before = process_figures();
  std::this_thread::sleep_for(std::chrono::seconds(child.seconds));
  const ProcessFigures after = process_figures();
  compare(before, after, "idle", findings);
  const auto used = static_cast<uint64_t>((after.cpu - before.cpu).count());
  findings.count("max_cpu_per_million", used / child.seconds);
  findings.count("max_wakeups_per_30_s",
                 (after.voluntary_switches - before.voluntary_switches) * 30 / child.seconds);
  if (used >= child.seconds * 1000 * kCpuPerMille) {
    findings.fail(fmt::format("idle: {} us of processor time in {} s", used, child.seconds));
  }
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

// The least or the most of each figure over some cycles.
struct Range {
  ProcessFigures least, most;
  bool empty = true;

  void take(const ProcessFigures& figures) {
    if (empty) least = most = figures;
    empty = false;
    for (auto member : {&ProcessFigures::rss_bytes, &ProcessFigures::mappings, &ProcessFigures::descriptors,
                        &ProcessFigures::threads}) {
      least.*member = std::min(least.*member, figures.*member);
      most.*member = std::max(most.*member, figures.*member);
    }
  }
};

// The first cycles fill what is kept for the next ones: stacks of threads, arenas of the allocator. Then a
// leak of one thing a cycle has the last quarter begin above all that the first one saw; what merely comes
// and goes does not.
void open_and_close_often(const IdleChild& child, Findings& findings) {
  const uint64_t warm = std::max<uint64_t>(100, child.cycles / 5), quarter = child.cycles / 4;
  Range first, last;
  for (uint64_t cycle = 0; cycle < child.cycles + warm; ++cycle) {
    if (!open_and_close(child, findings)) return;
    if (cycle >= warm && cycle < warm + quarter) first.take(process_figures());
    if (cycle >= warm + child.cycles - quarter) last.take(process_figures());
  }
  findings.count("cycles", child.cycles);
  compare(first.most, last.least, "after all cycles", findings);
  if (is_sanitized()) return;
  const uint64_t before = first.most.rss_bytes, after = last.least.rss_bytes;
  const uint64_t grown = after > before ? after - before : 0;
  findings.count("max_growth_kib", grown / base::kKiB);
  if (last.least.mappings > first.most.mappings) {
    findings.fail(
        fmt::format("after all cycles: {} mappings became {}", first.most.mappings, last.least.mappings));
  }
  if (grown > kGrowthMost) {
    findings.fail(fmt::format("after all cycles: resident memory grew by {} KiB", grown / base::kKiB));
  }
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

// One job each for uring and psync.
Findings run_idle(const RowOptions& options) {
  WorkerOptions workers = workers_of(options, 20);
  workers.first = 0;
  workers.count = 2;
  workers.job_limit = std::chrono::minutes(10);
  workers.replay = [](uint64_t) { return std::string("terrace-lab run --row 20"); };
  const uint64_t cycles = count_of(options, kCycles);
  const auto seconds = static_cast<uint64_t>((options.quick ? kIdleQuick : kIdle).count());
  return run_jobs(workers, [&](uint64_t job) {
    const auto directory =
        std::filesystem::path(options.directory) / fmt::format("terrace-lab.idle.{}.{}", ::getpid(), job);
    std::filesystem::create_directories(directory);
    ChildProcess child({options.program, "idle-child", "--dir", directory.string(), "--uring",
                        job == 0 ? "1" : "0", "--seconds", std::to_string(seconds), "--cycles",
                        std::to_string(cycles)});
    Findings findings = heard_from(child, directory.string() + "/report", std::chrono::minutes(9),
                                   job == 0 ? "uring" : "psync");
    std::filesystem::remove_all(directory);
    return findings;
  });
}

}  // namespace terrace::lab
