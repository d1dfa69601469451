#include "lab/rows/crash_points.h"

#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/random.h"
#include "lab/kit/child_process.h"
#include "lab/kit/hook_board.h"
#include "lab/rows/crash.h"

namespace terrace::lab {
namespace {

constexpr uint64_t kKillsPerJob = 5, kQuickKillsPerJob = 2;
constexpr uint64_t kJobsPerPoint = 4;  // whole: 20 kills of each point
constexpr size_t kPointsLeast = 40;
constexpr uint64_t kDirectoriesMax = 16;  // of one job, before its point counts as out of reach
constexpr uint64_t kMissesMax = 3;        // in a directory
constexpr uint64_t kOpsOfClient = 300;    // of a life that its point does not end
constexpr uint64_t kReachMost = 48;       // a point is killed at its first to 48th time
constexpr std::chrono::minutes kChildLimit{2};
constexpr std::string_view kKillsOf = "kills of ";  // counted by point within the row

uint64_t kills_per_job(const RowOptions& options) {
  return options.quick ? kQuickKillsPerJob : kKillsPerJob;
}

std::string replay(const RowOptions& options, uint64_t seed) {
  return fmt::format("terrace-lab run --row 3{} --seed {} --count 1 --processes 1{}",
                     options.quick ? " --quick" : "", seed,
                     options.directory.empty() ? "" : " --dir " + options.directory);
}

// What the life before must have been killed at, for the point to be reached in the next one; empty: nothing.
std::string_view preparation(std::string_view point) {
  if (point == "disk.recovery_empty_kept") return "disk.layout_table_made";
  // A whole life in an even cycle, whose disk is larger than the next one's (crash_scene.cc).
  if (point == "disk.surplus_half_gone") return "disk.close_unlocks";
  return "";
}

// The lives of one directory, of which most end at the job's point.
class Lives {
 public:
  Lives(const RowOptions& options, uint64_t seed, const std::string& point, uint64_t& reach)
      : options_(options),
        seed_(seed),
        point_(point),
        reach_(reach),
        random_(seed),
        directory_(options, seed) {}

  // Kills at the point up to `wanted` times; fewer when this directory's scene does not come by it.
  Findings run(uint64_t wanted, uint64_t& kills) {
    for (uint64_t missed = 0; kills < wanted && missed < kMissesMax && findings_.clean(); cycle_++) {
      if (const auto before = preparation(point_); !before.empty()) {
        work_until(before, 1);
        cycle_++;
      }
      const bool reached = work();
      if (findings_.clean()) check();
      kills += reached ? 1 : 0;
      missed += reached ? 0 : 1;
      // A point of the start leaves nothing to find: a life that gets further comes between.
      if (reached && cycle_ == 0 && preparation(point_).empty()) {
        cycle_++;
        const auto points = crash_points();
        work_until(points[random_.below(points.size())].name, kReachMost / 2 + random_.below(kReachMost));
        if (findings_.clean()) check();
      }
    }
    directory_.read_journal(findings_);
    directory_.end(findings_, replay(options_, job_seed_));
    return std::move(findings_);
  }
  void set_job(uint64_t seed) { job_seed_ = seed; }

 private:
  ChildOptions child() const {
    ChildOptions child;
    child.directory = directory_.path();
    child.seed = seed_;
    child.cycle = cycle_;
    child.hurried = true;
    child.ops = kOpsOfClient;
    child.verbose = options_.verbose;
    return child;
  }

  // True when it was killed by name; else it ended in order.
  bool run_child(const ChildOptions& child, std::string_view what) {
    ChildProcess process(crash_child_words(options_.program, child));
    const bool ended = process.wait(kChildLimit);
    process.kill_now();
    const bool killed = ended && !child.point.empty() && process.was_killed_by(SIGKILL);
    if (killed) {
      findings_.count(std::string(kKillsOf) + child.point);
      return true;
    }
    if (!ended || !process.exited_with(0)) {
      findings_.fail(fmt::format("seed {} cycle {} point '{}' time {}: the {} child {}", seed_, cycle_,
                                 child.point, child.nth, what,
                                 ended ? process.how_it_ended() : "did not end within 2 minutes"));
    }
    return false;
  }

  bool work() {
    ChildOptions working = child();
    working.point = point_;
    working.nth = 1 + random_.below(reach_);
    const bool killed = run_child(working, "working");
    findings_.count("lives");
    if (!killed) reach_ = std::max<uint64_t>(1, working.nth / 4);
    return killed;
  }

  void work_until(std::string_view point, uint64_t nth) {
    ChildOptions working = child();
    working.point = point;
    working.nth = nth;
    run_child(working, "working");
    findings_.count("lives");
  }

  void check() {
    ChildOptions checking = child();
    checking.check = true;
    if (random_.one_in(3)) {  // recovery is killed too
      const auto points = crash_points();
      checking.point = points[random_.below(points.size())].name;
      checking.nth = 1 + random_.below(3);
      const bool killed = run_child(checking, "checking");
      if (killed) findings_.count("killed_checks");
      Findings report;
      const bool told = directory_.take_report(report);
      findings_.add(report);
      if (told || !findings_.clean()) return;
      checking.point.clear();
    }
    checking.cycle = cycle_ / 4 * 4;  // closed in order, never killed by itself
    run_child(checking, "checking");
    if (!directory_.take_report(findings_)) {
      findings_.fail(fmt::format("seed {} cycle {}: no report of the check", seed_, cycle_));
    }
  }

  const RowOptions& options_;
  const uint64_t seed_;
  uint64_t job_seed_ = 0;
  const std::string& point_;
  uint64_t& reach_;
  base::Random random_;
  const CrashDirectory directory_;
  Findings findings_;
  uint64_t cycle_ = 0;
};

}  // namespace

Findings crash_point_job(const RowOptions& options, uint64_t seed) {
  const auto points = crash_points();
  const std::string point(points[seed % points.size()].name);
  Findings findings;
  uint64_t kills = 0, reach = kReachMost, full_disk = seed % 2;
  bool missed = false;
  const uint64_t wanted = kills_per_job(options);
  for (uint64_t i = 0; i < kDirectoriesMax && kills < wanted && findings.clean(); i++) {
    // Even seeds have room for everything, odd ones do not (crash_scene.cc): what is reached with one of them
    // only is looked for there.
    const uint64_t before = kills;
    Lives lives(options, 2 * (seed * kDirectoriesMax + i) + full_disk, point, reach);
    lives.set_job(seed);
    findings.add(lives.run(wanted, kills));
    if (kills == before || !missed) full_disk ^= 1;
    missed = missed || kills == before;
  }
  if (kills < wanted && findings.clean()) {
    findings.fail(fmt::format("crash point '{}' was reached {} times of {}; again: {}", point, kills, wanted,
                              replay(options, seed)));
  }
  return findings;
}

namespace {

// By point, the kills of all jobs; one line of figures for the row instead of a line for each.
void sum_up(Findings& findings, bool whole) {
  uint64_t points = 0, kills = 0, least = UINT64_MAX;
  for (const auto& point : crash_points()) {
    const uint64_t of_point = findings.counted(std::string(kKillsOf) + std::string(point.name));
    if (of_point == 0 && !whole) continue;
    points++;
    kills += of_point;
    least = std::min(least, of_point);
  }
  std::erase_if(findings.counts, [](const auto& count) { return count.first.starts_with(kKillsOf); });
  findings.count("points", points);
  findings.count("kills", kills);
  findings.count("min_kills_per_point", points == 0 ? 0 : least);
  if (whole && points < kPointsLeast) {
    findings.fail(fmt::format("{} crash points, {} are wanted", points, kPointsLeast));
  }
}

}  // namespace

Findings run_crash_points(const RowOptions& options) {
  Findings findings;
  const uint64_t points = crash_points().size();
  if (points == 0) {
    findings.skipped = "this build has no hooks";
    return findings;
  }
  WorkerOptions workers = workers_of(options, 3);
  workers.count = options.count.value_or(options.quick ? points : kJobsPerPoint * points);
  workers.processes = options.processes == 1 ? 1 : 2 * options.processes;  // half of them wait for the disk
  workers.job_limit = std::chrono::minutes(10);
  workers.replay = [&](uint64_t seed) { return replay(options, seed); };
  findings = run_jobs(workers, [&](uint64_t seed) { return crash_point_job(options, seed); });
  sum_up(findings, !options.count);
  return findings;
}

}  // namespace terrace::lab
