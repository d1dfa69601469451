// Runs many small jobs in forked processes, a few at a time: a job that crashes, asserts or hangs costs only
// itself and is reported with its number. Jobs are deterministic; only which process runs them is not.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "lab/kit/report.h"

namespace terrace::lab {

struct WorkerOptions {
  uint64_t first = 0;  // jobs first .. first + count - 1
  uint64_t count = 1;
  unsigned processes = 2;
  std::chrono::seconds job_limit{120};      // wall time of one job before it counts as hung
  std::chrono::seconds start_limit{86400};  // no further job starts after this
  // The command that runs this job alone, for the report.
  std::function<std::string(uint64_t job)> replay{};
  // Called as jobs end: how many did, of how many.
  std::function<void(uint64_t ended, uint64_t count)> progress{};
};

// The sum over all jobs, in order of their numbers. Call it while the process has one thread.
Findings run_jobs(const WorkerOptions& options, const std::function<Findings(uint64_t job)>& job);

// Processors this process may use, at least 1.
unsigned processors();

}  // namespace terrace::lab
