#include "lab/crash.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "lab/expected_state.h"
#include "lab/workers.h"

extern char** environ;

namespace terrace::lab {
namespace {

constexpr uint64_t kFullCycles = 300;
constexpr uint64_t kCyclesPerDirectory = 10;
constexpr std::chrono::milliseconds kKillEarliest{20}, kKillLatest{400};

using WallClock = std::chrono::steady_clock;

std::string replay(const RowOptions& options, uint64_t seed, uint64_t count) {
  return fmt::format("terrace-lab run --row 2 --seed {} --count {} --processes 1{}", seed, count,
                     options.directory.empty() ? "" : " --dir " + options.directory);
}

// A child process and its end.
class Child {
 public:
  Child(const RowOptions& row, const std::string& directory, uint64_t seed, uint64_t cycle, bool check) {
    std::vector<std::string> words{
        row.program,          "child", "--dir", directory, "--seed", std::to_string(seed), "--cycle",
        std::to_string(cycle)};
    if (check) words.push_back("--check");
    if (row.verbose) words.push_back("--verbose");
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    if (::posix_spawn(&pid_, row.program.c_str(), nullptr, nullptr, arguments.data(), environ) != 0)
      pid_ = -1;
  }
  ~Child() { kill_now(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  bool started() const { return pid_ > 0; }
  // True when it ended by itself within the time.
  bool wait(std::chrono::milliseconds time) {
    for (const auto until = WallClock::now() + time;;) {
      if (::waitpid(pid_, &status_, WNOHANG) == pid_) {
        pid_ = -1;
        return true;
      }
      if (WallClock::now() >= until) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  void kill_now() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, &status_, 0);
    pid_ = -1;
  }
  // It said what it had to say: closed in order, or killed itself on purpose.
  bool succeeded() const {
    return (WIFEXITED(status_) && WEXITSTATUS(status_) == 0) ||
           (WIFSIGNALED(status_) && WTERMSIG(status_) == SIGKILL);
  }
  std::string how_it_ended() const {
    return WIFSIGNALED(status_) ? fmt::format("was killed by {}", ::strsignal(WTERMSIG(status_)))
                                : fmt::format("exited with {}", WEXITSTATUS(status_));
  }

 private:
  pid_t pid_ = -1;
  int status_ = 0;
};

class Cycles {
 public:
  Cycles(const RowOptions& options, uint64_t seed, uint64_t count)
      : options_(options), seed_(seed), count_(count), random_(seed) {
    const auto base = options.directory.empty() ? std::filesystem::temp_directory_path()
                                                : std::filesystem::path(options.directory);
    directory_ = base / fmt::format("terrace-lab.{}.{}", ::getpid(), seed);
    std::filesystem::create_directories(directory_);
  }

  Findings run() {
    findings_.count("cycles", 0);
    findings_.count("ops", 0);
    for (uint64_t cycle = 0; cycle < count_ && findings_.clean(); cycle++) {
      work_and_kill(cycle);
      if (findings_.clean()) check(cycle);
    }
    read_journal();
    if (findings_.clean()) {
      std::filesystem::remove_all(directory_);
    } else {
      findings_.failures.push_back(
          fmt::format("kept: {}; again: {}", directory_.string(), replay(options_, seed_, count_)));
    }
    return std::move(findings_);
  }

 private:
  void work_and_kill(uint64_t cycle) {
    const auto spread = static_cast<uint64_t>((kKillLatest - kKillEarliest).count()) + 1;
    const auto time = kKillEarliest + std::chrono::milliseconds(random_.below(spread));
    Child child(options_, directory_, seed_, cycle, false);
    if (!child.started()) return findings_.fail(fmt::format("cannot start {}", options_.program));
    if (child.wait(time)) {
      return findings_.fail(
          fmt::format("cycle {}: the working child {} before its kill", cycle, child.how_it_ended()));
    }
    child.kill_now();
    findings_.count("cycles");
  }

  void check(uint64_t cycle) {
    std::filesystem::remove(directory_ / "report");
    Child child(options_, directory_, seed_, cycle, true);
    if (!child.started()) return findings_.fail(fmt::format("cannot start {}", options_.program));
    const bool ended = child.wait(std::chrono::minutes(2));
    child.kill_now();
    if (!ended || !child.succeeded()) {
      return findings_.fail(fmt::format("cycle {}: the checking child {}", cycle,
                                        ended ? child.how_it_ended() : "did not end within 2 minutes"));
    }
    std::ifstream report(directory_ / "report");
    const auto json = nlohmann::json::parse(report, nullptr, false);
    if (json.is_discarded()) return findings_.fail(fmt::format("cycle {}: no report of the check", cycle));
    findings_.add(findings_from_json(json));
  }

  // What the killed children had found.
  void read_journal() {
    std::ifstream journal(directory_ / "failures");
    for (std::string text; std::getline(journal, text);) {
      if (text.starts_with("WRONG"))
        findings_.fail_wrong(text);
      else
        findings_.fail(text);
    }
    std::ifstream file(directory_ / "expected", std::ios::binary | std::ios::ate);
    const auto bytes = static_cast<uint64_t>(std::max<int64_t>(0, file.tellg()));
    const uint64_t keys = ExpectedState::keys_of_file(bytes);
    if (const auto expected = ExpectedState::open(directory_ / "expected", static_cast<uint32_t>(keys))) {
      findings_.count("ops", (*expected)->operations());
    }
  }

  const RowOptions& options_;
  const uint64_t seed_, count_;
  base::Random random_;
  std::filesystem::path directory_;
  Findings findings_;
};

}  // namespace

Findings crash_cycles(const RowOptions& options, uint64_t seed, uint64_t count) {
  return Cycles(options, seed, count).run();
}

// Each directory lives through some cycles; directories beside each other use all processors.
Findings run_crash(const RowOptions& options) {
  const uint64_t cycles = count_of(options, kFullCycles);
  const uint64_t directories = (cycles + kCyclesPerDirectory - 1) / kCyclesPerDirectory;
  WorkerOptions workers;
  workers.first = options.seed;
  workers.count = directories;
  workers.processes = options.processes;
  workers.job_limit = std::chrono::minutes(10);
  workers.start_limit = options.limit;
  workers.progress = progress_of(options, 2);
  const auto cycles_of = [&](uint64_t seed) {
    return std::min(kCyclesPerDirectory, cycles - (seed - options.seed) * kCyclesPerDirectory);
  };
  workers.replay = [&](uint64_t seed) { return replay(options, seed, cycles_of(seed)); };
  return run_jobs(workers, [&](uint64_t seed) { return crash_cycles(options, seed, cycles_of(seed)); });
}

}  // namespace terrace::lab
