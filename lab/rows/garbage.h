// Row 7: truncation and garbage. Each file of a small store is cut at every page and at every byte of its
// last record; files are missing, empty, of random bytes, of other segments, directories, links, pipes,
// unreadable; unknown files of every name stand beside them. A start succeeds, or, where the superblock or
// the lock is no file that can be opened, says so; blocks that nothing happened to are found, and nothing is
// wrong.
#pragma once

#include "lab/rows/rows.h"

namespace terrace::lab {

Findings run_garbage(const RowOptions& options);
// Cases `first` to `first + count - 1` on the simulated disk.
Findings garbage_cases(uint64_t first, uint64_t count);

}  // namespace terrace::lab
