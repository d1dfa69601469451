// Row 19: restart under load. A process whose clients work is told to end, closes within 2 s, and the next
// one goes on with what was there. And stores of format version 1 that were written once, long ago, are
// opened.
#pragma once

#include "lab/rows/children.h"
#include "lab/rows/rows.h"

namespace terrace::lab {

RunChild describe_restart_child(CLI::App& command);
Findings run_restart(const RowOptions& options);
// `count` restarts in one directory, of a disk that holds everything when `seed` is even, else of one that
// evicts.
Findings restarts(const RowOptions& options, uint64_t seed, uint64_t count);

}  // namespace terrace::lab
