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

#include "lab/report.h"

namespace terrace::lab {

struct RowOptions {
  bool quick = false;                 // a tenth
  uint64_t seed = 1;                  // the first one
  std::optional<uint64_t> count{};    // seeds, cycles or cases; absent: the row's own
  std::optional<uint64_t> ops{};      // operations of a seed
  std::chrono::seconds limit{86400};  // start nothing new after this
  unsigned processes = 2;
  std::string directory{};  // for real files; made and removed by the row
  std::string program{};    // terrace-lab itself, for rows with child processes
  bool verbose = false;     // print every operation: for the replay of one seed
  bool progress = false;    // a line on standard error that grows
};

struct Row {
  int number;
  std::string_view title;
  std::string_view counted;  // what `count` counts
  std::string_view does;
  Findings (*run)(const RowOptions& options);
};

std::span<const Row> rows();
const Row* find_row(int number);
// `options.count`, else `full` or a tenth of it.
uint64_t count_of(const RowOptions& options, uint64_t full);
// The counter on standard error for WorkerOptions::progress; empty unless wanted.
std::function<void(uint64_t, uint64_t)> progress_of(const RowOptions& options, int row);

RowReport run_row(const Row& row, const RowOptions& options);

}  // namespace terrace::lab
