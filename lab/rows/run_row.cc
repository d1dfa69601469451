// What all rows share of running: how much, in how many processes, and the report.
#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "lab/rows/rows.h"

namespace terrace::lab {

uint64_t count_of(const RowOptions& options, uint64_t full) {
  return options.count.value_or(options.quick ? (full + 9) / 10 : full);
}

WorkerOptions workers_of(const RowOptions& options, int row) {
  WorkerOptions workers;
  workers.first = options.seed;
  workers.processes = options.processes;
  workers.start_limit = options.limit;
  if (!options.progress) return workers;
  workers.progress = [row](uint64_t ended, uint64_t count) {
    fmt::print(stderr, "\rrow {}: {} of {}{}", row, ended, count, ended == count ? "\r\033[K" : "");
    std::fflush(stderr);
  };
  return workers;
}

Findings run_in_slices(const RowOptions& options, int row, uint64_t full, uint64_t slice,
                       Findings (*run)(uint64_t first, uint64_t count)) {
  const uint64_t pieces = count_of(options, full);
  WorkerOptions workers = workers_of(options, row);
  workers.first = 0;
  workers.count = (pieces + slice - 1) / slice;
  const auto first_of = [&](uint64_t job) { return options.seed + job * slice; };
  const auto count = [&](uint64_t job) { return std::min(slice, pieces - job * slice); };
  workers.replay = [&](uint64_t job) {
    return fmt::format("terrace-lab run --row {} --seed {} --count {} --processes 1", row, first_of(job),
                       count(job));
  };
  return run_jobs(workers, [&](uint64_t job) { return run(first_of(job), count(job)); });
}

RowReport run_row(const Row& row, const RowOptions& options) {
  RowReport report{.row = row.number, .title = std::string(row.title)};
  const auto begun = std::chrono::steady_clock::now();
  report.findings = row.run(options);
  report.skipped = report.findings.skipped;
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  return report;
}

}  // namespace terrace::lab
