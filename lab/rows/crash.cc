#include "lab/rows/crash.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "lab/kit/child_process.h"
#include "lab/kit/expected_state.h"

namespace terrace::lab {
namespace {

constexpr uint64_t kFullCycles = 300;
constexpr uint64_t kCyclesPerDirectory = 10;
constexpr uint64_t kServedEvery = 3;  // seeds of directories that a server holds
constexpr std::chrono::milliseconds kKillEarliest{20}, kKillLatest{400};

std::string replay(const RowOptions& options, uint64_t seed, uint64_t count) {
  return fmt::format("terrace-lab run --row 2 --seed {} --count {} --processes 1{}", seed, count,
                     options.directory.empty() ? "" : " --dir " + options.directory);
}

// It said what it had to say: closed in order, or killed itself on purpose.
bool succeeded(const ChildProcess& child) {
  return child.exited_with(0) || child.was_killed_by(SIGKILL);
}

class Cycles {
 public:
  Cycles(const RowOptions& options, uint64_t seed, uint64_t count)
      : options_(options), seed_(seed), count_(count), random_(seed), directory_(options, seed) {}

  Findings run() {
    findings_.count("cycles", 0);
    findings_.count("ops", 0);
    for (uint64_t cycle = 0; cycle < count_ && findings_.clean(); cycle++) {
      work_and_kill(cycle);
      if (findings_.clean()) check(cycle);
    }
    directory_.read_journal(findings_);
    directory_.end(findings_, replay(options_, seed_, count_));
    return std::move(findings_);
  }

 private:
  // The working or the checking process of one cycle.
  std::vector<std::string> words(uint64_t cycle, bool check) const {
    ChildOptions child;
    child.directory = directory_.path();
    child.seed = seed_;
    child.cycle = cycle;
    child.check = check;
    child.verbose = options_.verbose;
    return crash_child_words(options_.program, child);
  }

  void work_and_kill(uint64_t cycle) {
    const auto spread = static_cast<uint64_t>((kKillLatest - kKillEarliest).count()) + 1;
    const auto time = kKillEarliest + std::chrono::milliseconds(random_.below(spread));
    ChildProcess child(words(cycle, false));
    if (!child.started()) return findings_.fail(fmt::format("cannot start {}", options_.program));
    if (child.wait(time)) {
      return findings_.fail(
          fmt::format("cycle {}: the working child {} before its kill", cycle, child.how_it_ended()));
    }
    child.kill_now();
    findings_.count("cycles");
  }

  void check(uint64_t cycle) {
    ChildProcess child(words(cycle, true));
    if (!child.started()) return findings_.fail(fmt::format("cannot start {}", options_.program));
    const bool ended = child.wait(std::chrono::minutes(2));
    child.kill_now();
    if (!ended || !succeeded(child)) {
      return findings_.fail(fmt::format("cycle {}: the checking child {}", cycle,
                                        ended ? child.how_it_ended() : "did not end within 2 minutes"));
    }
    if (!directory_.take_report(findings_)) {
      findings_.fail(fmt::format("cycle {}: no report of the check", cycle));
    }
  }

  const RowOptions& options_;
  const uint64_t seed_, count_;
  base::Random random_;
  const CrashDirectory directory_;
  Findings findings_;
};

}  // namespace

CrashDirectory::CrashDirectory(const RowOptions& options, uint64_t seed) {
  const auto base = options.directory.empty() ? std::filesystem::temp_directory_path()
                                              : std::filesystem::path(options.directory);
  path_ = (base / fmt::format("terrace-lab.{}.{}", ::getpid(), seed)).string();
  std::filesystem::create_directories(path_);
}

bool CrashDirectory::take_report(Findings& findings) const {
  std::ifstream report(path_ + "/report");
  const auto json = nlohmann::json::parse(report, nullptr, false);
  if (json.is_discarded()) return false;
  findings.add(findings_from_json(json));
  std::filesystem::remove(path_ + "/report");
  return true;
}

void CrashDirectory::read_journal(Findings& findings) const {
  std::ifstream journal(path_ + "/failures");
  for (std::string text; std::getline(journal, text);) {
    if (text.starts_with("WRONG"))
      findings.fail_wrong(text);
    else
      findings.fail(text);
  }
  std::ifstream file(path_ + "/expected", std::ios::binary | std::ios::ate);
  const auto bytes = static_cast<uint64_t>(std::max<int64_t>(0, file.tellg()));
  const uint64_t keys = ExpectedState::keys_of_file(bytes);
  if (const auto expected = ExpectedState::open(path_ + "/expected", static_cast<uint32_t>(keys))) {
    findings.count("ops", (*expected)->operations());
  }
}

void CrashDirectory::end(Findings& findings, const std::string& replay) const {
  if (findings.clean()) {
    std::filesystem::remove_all(path_);
  } else {
    findings.failures.push_back(fmt::format("kept: {}; again: {}", path_, replay));
  }
}

Findings crash_cycles(const RowOptions& options, uint64_t seed, uint64_t count) {
  return Cycles(options, seed, count).run();
}

// Each directory lives through some cycles; directories beside each other use all processors.
Findings run_crash(const RowOptions& options) {
  const uint64_t cycles = count_of(options, kFullCycles);
  const uint64_t directories = (cycles + kCyclesPerDirectory - 1) / kCyclesPerDirectory;
  WorkerOptions workers = workers_of(options, 2);
  workers.count = directories;
  workers.job_limit = std::chrono::minutes(10);
  const auto cycles_of = [&](uint64_t seed) {
    return std::min(kCyclesPerDirectory, cycles - (seed - options.seed) * kCyclesPerDirectory);
  };
  workers.replay = [&](uint64_t seed) { return replay(options, seed, cycles_of(seed)); };
  return run_jobs(workers, [&](uint64_t seed) {
    const auto run = seed % kServedEvery == 0 ? served_crash_cycles : crash_cycles;
    return run(options, seed, cycles_of(seed));
  });
}

}  // namespace terrace::lab
