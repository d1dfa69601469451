// Row 13: faults on the socket between clients and the server of their node. A client process at a time works
// through a proxy that brings its bytes singly, late, or not at all, or says what no client would; another
// one, untouched, works all the time beside it and must never notice.
#pragma once

#include <cstdint>
#include <string>

#include <terrace/options.h>

#include "lab/kit/report.h"
#include "lab/rows/children.h"
#include "lab/rows/rows.h"

namespace terrace::lab {

// The server's store (server_process.h).
StoreOptions network_store(uint64_t seed, const std::string& directory);
// The faulty client's process: `terrace-lab network-child`.
RunChild describe_network_child(CLI::App& command);

// The sessions first .. first + count - 1, with one server.
Findings network_sessions(const RowOptions& options, uint64_t first, uint64_t count);
Findings run_network(const RowOptions& options);

}  // namespace terrace::lab
