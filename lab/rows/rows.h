// The rows of the test matrix that are built, and what they are run with. A row is one function and one line
// of rows.cc.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lab/kit/report.h"
#include "lab/kit/workers.h"

namespace terrace::lab {

struct RowOptions {
  bool quick = false;                 // a tenth
  uint64_t seed = 1;                  // the first one
  std::optional<uint64_t> count{};    // seeds, cycles or cases; absent: the row's own
  std::optional<uint64_t> ops{};      // operations of a seed
  std::chrono::seconds limit{86400};  // start nothing new after this
  unsigned processes = 2;
  std::vector<std::string> without{};  // parts of the scenarios to leave out (shrink.h)
  std::string directory{};             // for real files; made and removed by the row
  std::string program{};               // terrace-lab itself, for rows with child processes
  std::string fuzz{};                  // the folder of terrace-fuzz; empty: of the build asan beside this one
  std::optional<std::string> schedule{};  // row 17: this one alone
  bool verbose = false;                   // print every operation: for the replay of one seed
  bool progress = false;                  // a line on standard error that grows
};

struct Row {
  int number;
  std::string_view title;
  std::string_view counted;  // what `count` counts
  std::string_view does;
  Findings (*run)(const RowOptions& options);
  bool in_quick = false;  // part of `--quick`, unless rows are named
};

std::span<const Row> rows();
const Row* find_row(int number);
// `options.count`, else `full` or a tenth of it.
uint64_t count_of(const RowOptions& options, uint64_t full);
// What the row's jobs share of the options: first seed, processes, time limit, progress on standard error.
WorkerOptions workers_of(const RowOptions& options, int row);

// A row of `full` numbered pieces, run in slices of `slice` that share a specimen, each slice a job; `run`
// does pieces first .. first + count - 1, and is what the replay command runs again.
Findings run_in_slices(const RowOptions& options, int row, uint64_t full, uint64_t slice,
                       Findings (*run)(uint64_t first, uint64_t count));

RowReport run_row(const Row& row, const RowOptions& options);

}  // namespace terrace::lab
