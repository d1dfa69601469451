#include "lab/rows/restart.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <thread>

#include <unistd.h>

#include <fmt/format.h>

#include "base/random.h"
#include "lab/rows/child_report.h"
#include "lab/rows/golden_store.h"

namespace terrace::lab {
namespace {

constexpr uint64_t kRestarts = 100;
constexpr uint64_t kRestartsPerDirectory = 10;
constexpr uint64_t kHitsPerCent = 99;                   // of before, P13
constexpr uint64_t kServedEvery = 3, kServedFirst = 2;  // seeds whose directory is a server's
constexpr std::chrono::seconds kStartLimit{60}, kEndLimit{60};

std::string replay(uint64_t seed, uint64_t count) {
  return fmt::format("terrace-lab run --row 19 --seed {} --count {} --processes 1", seed, count);
}

bool wait_until_it_works(ChildProcess& child, const std::filesystem::path& sign) {
  const auto until = std::chrono::steady_clock::now() + kStartLimit;
  while (!std::filesystem::exists(sign)) {
    if (child.wait(std::chrono::milliseconds(1)) || std::chrono::steady_clock::now() > until) return false;
  }
  std::filesystem::remove(sign);
  return true;
}

// What was there before each stop against what was there after the next start, over all of them: a stop under
// load may lose what L1 alone held, and one directory's few stops say little.
void compare_hits(const std::string& whose, Findings& findings) {
  const uint64_t before = findings.counted(whose + "compared_before");
  const uint64_t after = findings.counted(whose + "compared_after");
  if (after * 100 < before * kHitsPerCent) {
    findings.fail(fmt::format("row 19: {} hits before the stops, {} after the starts", before, after));
  }
}

}  // namespace

Findings restarts(const RowOptions& options, uint64_t seed, uint64_t count) {
  Findings findings;
  base::Random random(seed);
  const auto directory =
      std::filesystem::path(options.directory) / fmt::format("terrace-lab.restart.{}.{}", ::getpid(), seed);
  std::filesystem::create_directories(directory);
  uint64_t before = 0;
  for (uint64_t life = 0; life <= count && findings.clean(); ++life) {
    ChildProcess child({options.program, "restart-child", "--dir", directory.string(), "--seed",
                        std::to_string(seed), "--life", std::to_string(life)});
    if (wait_until_it_works(child, directory / "working")) {
      // The first life fills the disk.
      std::this_thread::sleep_for(std::chrono::milliseconds((life == 0 ? 800 : 100) + random.below(200)));
      child.signal(SIGTERM);
    }
    Findings told = heard_from(child, directory.string() + "/report", kEndLimit,
                               fmt::format("life {}, {}", life, replay(seed, count)));
    if (life > 0) {
      told.count("compared_before", before);
      told.count("compared_after", told.counted("found_after"));
      told.count("restarts");
    }
    before = told.counted("found_before");
    std::erase_if(told.counts, [](const auto& one) { return one.first.starts_with("found_"); });
    findings.add(told);
  }
  if (findings.clean()) std::filesystem::remove_all(directory);
  return findings;
}

Findings run_restart(const RowOptions& options) {
  const uint64_t count = count_of(options, kRestarts);
  // Quick: a roomy and a full disk too, one of them a server's.
  const uint64_t share = std::min(kRestartsPerDirectory, std::max<uint64_t>(1, count / 2));
  WorkerOptions workers = workers_of(options, 19);
  workers.count = (count + share - 1) / share;
  workers.job_limit = std::chrono::minutes(10);
  const auto count_of_job = [&](uint64_t seed) {
    return std::min(share, count - (seed - options.seed) * share);
  };
  workers.replay = [&](uint64_t seed) { return replay(seed, count_of_job(seed)); };
  Findings findings = run_jobs(workers, [&](uint64_t seed) {
    const bool is_served = seed % kServedEvery == kServedFirst;
    return (is_served ? served_restarts : restarts)(options, seed, count_of_job(seed));
  });
  findings.count("client_errors", 0);
  compare_hits("", findings);
  compare_hits("served_", findings);
  findings.add(open_golden_stores(options));
  return findings;
}

}  // namespace terrace::lab
