// Row 14: every fuzz target searches for a while, from the corpus of the tree on. The programs are those of
// another build (fuzz/), with sanitizers.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lab/kit/report.h"
#include "lab/rows/rows.h"

namespace terrace::lab {

Findings run_fuzz(const RowOptions& options);

// A line of `terrace-fuzz --list`: NAME KIND fuzzer|replay FOLDER.
struct FuzzTarget {
  std::string name, kind, program, folder;
};
std::vector<FuzzTarget> read_fuzz_targets(std::string_view list);

// What libFuzzer printed.
struct FuzzOutcome {
  uint64_t executions = 0;
  std::string artifact;  // the input that ended it; empty when none did
  std::string summary;   // of the report
};
FuzzOutcome read_fuzz_output(std::string_view output);

}  // namespace terrace::lab
