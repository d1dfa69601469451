// Row 2: kill -9, black box. A child process runs 4 clients on a real directory and is killed at a random
// moment; another then opens the directory and checks what the expected-state file owes. Of every third
// directory a server is killed. Row 3 starts the same children (crash_points.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <terrace/options.h>

#include "lab/kit/report.h"
#include "lab/rows/children.h"
#include "lab/rows/rows.h"

namespace terrace::lab {

// The child's side: `terrace-lab child`.
struct ChildOptions {
  std::string directory;
  uint64_t seed = 1;     // of the catalog: one for all cycles in a directory
  uint64_t cycle = 0;    // of what is done with it
  bool check = false;    // verify what is there instead of working
  bool hurried = false;  // row 3: small stores, in which everything happens soon
  std::string point{};   // the crash point at which the process is killed
  uint64_t nth = 1;      // when it is reached for the nth time
  uint64_t ops = 0;  // operations of each client before the store is closed in order; 0: until it is killed
  bool verbose = false;
};
RunChild describe_crash_child(CLI::App& command);
// The words that start it.
std::vector<std::string> crash_child_words(const std::string& program, const ChildOptions& options);

// The store of a directory whose clients share it through a server (server_process.h).
StoreOptions served_crash_store(uint64_t seed, const std::string& directory);

Findings run_crash(const RowOptions& options);
// `count` cycles in one fresh directory below options.directory, which is removed when all is well.
Findings crash_cycles(const RowOptions& options, uint64_t seed, uint64_t count);
// The same with a server that is killed under its clients, who stay and go on with the next one.
Findings served_crash_cycles(const RowOptions& options, uint64_t seed, uint64_t count);

// What the children of one directory leave behind: rows 2 and 3 share it.
class CrashDirectory {
 public:
  CrashDirectory(const RowOptions& options, uint64_t seed);

  const std::string& path() const { return path_; }
  // The report of a check, taken away; nothing when the child was killed before it wrote one.
  bool take_report(Findings& findings) const;
  // What killed children had found, and how many operations they did.
  void read_journal(Findings& findings) const;
  // Removes the directory, or says that it was kept.
  void end(Findings& findings, const std::string& replay) const;

 private:
  std::string path_;
};

}  // namespace terrace::lab
