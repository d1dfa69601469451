// Row 19: restart under load. A process whose clients work is told to end, closes within 2 s, and the next
// one goes on with what was there. Or a server is, under clients of their own connections, which see misses
// and connect again by themselves. And stores of format version 1 that were written once, long ago, are
// opened.
#pragma once

#include <chrono>
#include <string>

#include <terrace/options.h>

#include "lab/kit/steady_load.h"
#include "lab/rows/children.h"
#include "lab/rows/rows.h"

namespace terrace::lab {

// Every other directory's disk is far too small for what is asked for.
StoreOptions restart_store(uint64_t seed, const std::string& directory);
StoreOptions served_restart_store(uint64_t seed, const std::string& directory);
LoadOptions restart_load(uint64_t seed);

RunChild describe_restart_child(CLI::App& command);
Findings run_restart(const RowOptions& options);
// `count` restarts in one directory, of a disk that holds everything when `seed` is even, else of one that
// evicts.
Findings restarts(const RowOptions& options, uint64_t seed, uint64_t count);
// The same of a server.
Findings served_restarts(const RowOptions& options, uint64_t seed, uint64_t count);

}  // namespace terrace::lab
