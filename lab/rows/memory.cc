#include "lab/rows/memory.h"

#include <algorithm>
#include <filesystem>
#include <thread>
#include <vector>

#include <unistd.h>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/bytes.h"
#include "lab/kit/memory_cgroup.h"
#include "lab/kit/process_figures.h"
#include "lab/kit/steady_load.h"
#include "lab/rows/child_report.h"

namespace terrace::lab {
namespace {

constexpr uint64_t kBudget = 64 * base::kMiB;
constexpr uint64_t kDisk = 192 * base::kMiB;
constexpr uint64_t kBeside = 128 * base::kMiB;   // what the control group allows beside the budget
constexpr uint64_t kOverhead = 64 * base::kMiB;  // P7
constexpr uint64_t kBytesOfEntry = 128;          // P7
constexpr uint64_t kGrowthMost = base::kMiB;
constexpr uint64_t kBlockBytes = 16 * base::kKiB;
constexpr uint32_t kHistory = 4096;
constexpr uint32_t kThreads = 4;
constexpr std::chrono::seconds kWhole{90}, kQuick{9};
constexpr std::chrono::milliseconds kSample{50};

struct MemoryChild {
  std::string directory;
  uint64_t seconds = 9;
  uint64_t seed = 1;
};

StoreOptions store_options(const MemoryChild& child) {
  StoreOptions options;
  options.l1.budget = kBudget;
  options.history = kHistory;
  TierOptions disk;
  disk.disk.paths = {child.directory + "/store"};
  disk.disk.capacity = kDisk;
  options.tiers = {disk};
  return options;
}

uint64_t median(std::vector<uint64_t> values) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// Full means: the disk was written over and the history is used up, so that nothing has a reason to grow.
bool is_full(const StoreStats& stats) {
  return stats.tiers[1].write_bytes >= 2 * kDisk && stats.tiers[1].evictions >= 2 * kHistory;
}

void judge(const std::vector<uint64_t>& samples, uint64_t most, uint64_t entries, Findings& findings) {
  const uint64_t allowed = kBudget + kOverhead + kBytesOfEntry * entries;
  findings.count("max_rss_mib", most / base::kMiB);
  findings.count("max_allowed_mib", allowed / base::kMiB);
  if (most > allowed) {
    findings.fail(
        fmt::format("resident {} KiB, allowed {} KiB with {} entries", most / 1024, allowed / 1024, entries));
  }
  const size_t third = samples.size() / 3;
  const uint64_t first = median({samples.begin(), samples.begin() + static_cast<int64_t>(third)});
  const uint64_t last = median({samples.end() - static_cast<int64_t>(third), samples.end()});
  const uint64_t grown = last > first ? last - first : 0;
  findings.count("max_growth_kib", grown / base::kKiB);
  if (samples.size() < 9) findings.fail("too few samples");
  if (grown >= kGrowthMost) {
    findings.fail(fmt::format("resident memory grew by {} KiB while nothing else did", grown / base::kKiB));
  }
}

int run_memory_child(const MemoryChild& child) {
  Findings findings;
  const std::string report = child.directory + "/report";
  auto store = Store::open(store_options(child));
  if (!store) {
    findings.fail("cannot open: " + store.error().message);
    return tell(report, findings);
  }
  SteadyLoad load(**store, {.seed = child.seed, .chains = 16384, .bytes = kBlockBytes});
  LoadThreads threads(load, kThreads, child.seed);
  const auto begun = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::steady_clock::now() - begun; };
  const std::chrono::seconds whole(child.seconds);
  bool full = false;
  std::chrono::steady_clock::duration warm{};
  uint64_t most = 0, entries = 0;
  std::vector<uint64_t> samples;  // since it was full
  // On a busy machine it takes longer to be full, up to a bound; the time after that is always the same.
  while (elapsed() < (full ? warm + whole * 2 / 3 : whole * 4)) {
    std::this_thread::sleep_for(kSample);
    const uint64_t rss = rss_bytes();
    const StoreStats stats = (*store)->stats();
    most = std::max(most, rss);
    entries = std::max(entries, stats.tiers[0].blocks + stats.tiers[1].blocks);
    if (!full && elapsed() >= whole / 3 && is_full(stats)) {
      full = true;
      warm = elapsed();
    } else if (full) {
      samples.push_back(rss);
    }
  }
  const LoadCounts did = threads.stop(findings);
  findings.count("steps", did.steps);
  findings.count("stored", did.stored);
  findings.count("entries", entries);
  if (!full) findings.fail(fmt::format("the store was not full after {} s", 4 * child.seconds));
  judge(samples, most, entries, findings);
  return tell(report, findings);
}

}  // namespace

RunChild describe_memory_child(CLI::App& command) {
  const auto options = std::make_shared<MemoryChild>();
  command.add_option("--dir", options->directory)->required();
  command.add_option("--seconds", options->seconds);
  command.add_option("--seed", options->seed);
  return [options] { return run_memory_child(*options); };
}

namespace {

std::string replay(const RowOptions& options) {
  return fmt::format("terrace-lab run --row 12{} --seed {}", options.quick ? " --quick" : "", options.seed);
}

// What a process with a wall finds.
Findings churn(const RowOptions& options, const std::string& directory) {
  Findings findings;
  const auto group = MemoryCgroup::make(kBudget + kBeside);
  if (!group) {
    findings.skipped = "no control group for memory: " + group.error().message;
    return findings;
  }
  const auto whole = static_cast<uint64_t>((options.quick ? kQuick : kWhole).count());
  const uint64_t seconds = options.count.value_or(whole);
  ChildProcess child({options.program, "memory-child", "--dir", directory, "--seconds",
                      std::to_string(seconds), "--seed", std::to_string(options.seed)},
                     {}, [&] { (*group)->enter(); });
  return heard_from(child, directory + "/report", std::chrono::seconds(5 * seconds + 60), replay(options));
}

// The program that fails allocations stands beside this one; which of them it fails: all, quick every tenth.
Findings starve(const RowOptions& options, const std::string& directory, bool uring) {
  std::error_code plain;  // a path that is no link stands for itself
  const auto link = std::filesystem::read_symlink(options.program, plain);
  const auto program = (plain ? std::filesystem::path(options.program) : link).parent_path();
  std::vector<std::string> command{(program / "terrace-lab-starved").string(), "--dir", directory, "--stride",
                                   options.quick ? "10" : "1"};
  if (uring) command.emplace_back("--uring");
  ChildProcess child(command);
  return heard_from(child, directory + "/report", std::chrono::minutes(10), replay(options));
}

}  // namespace

Findings run_memory(const RowOptions& options) {
  Findings findings;
  if (is_sanitized()) {
    findings.skipped = "a sanitizer's memory is not the product's";
    return findings;
  }
  const auto directory =
      std::filesystem::path(options.directory) / fmt::format("terrace-lab.memory.{}", ::getpid());
  std::filesystem::create_directories(directory);
  findings = churn(options, directory.string());
  for (const bool uring : {false, true}) {
    std::filesystem::remove_all(directory / "store");
    findings.add(starve(options, directory.string(), uring));
  }
  std::filesystem::remove_all(directory);
  return findings;
}

}  // namespace terrace::lab
