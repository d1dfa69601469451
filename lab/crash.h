// Row 2: kill -9, black box. A child process runs 4 clients on a real directory and is killed at a random
// moment; another then opens the directory and checks what the expected-state file owes.
#pragma once

#include <cstdint>
#include <string>

#include "lab/report.h"
#include "lab/rows.h"

namespace CLI {
class App;
}

namespace terrace::lab {

// The child's side: `terrace-lab child`.
struct ChildOptions {
  std::string directory;
  uint64_t seed = 1;   // of the catalog: one for all cycles in a directory
  uint64_t cycle = 0;  // of what is done with it
  bool check = false;  // verify what is there instead of working
  bool verbose = false;
};
CLI::App* describe_child(CLI::App& app, ChildOptions& options);
int run_child(const ChildOptions& options);

Findings run_crash(const RowOptions& options);
// `count` cycles in one fresh directory below options.directory, which is removed when all is well.
Findings crash_cycles(const RowOptions& options, uint64_t seed, uint64_t count);

}  // namespace terrace::lab
