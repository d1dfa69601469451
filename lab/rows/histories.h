// Row 16: concurrent clients on a few hot keys of a real store; a checker explains every hit. The clients are
// threads of one process, or, of every fifth store, processes of their own that share it through a server.
#pragma once

#include <string>

#include <terrace/options.h>

#include "lab/rows/rows.h"

namespace terrace::lab {

// What a store of this seed is like; the server's too (server_process.h).
StoreOptions history_store(uint64_t seed, const std::string& directory);

// One store of `seed` under four clients; `operations` over all of them.
Findings concurrent_histories(const RowOptions& options, uint64_t seed, uint64_t operations);

Findings run_histories(const RowOptions& options);

}  // namespace terrace::lab
