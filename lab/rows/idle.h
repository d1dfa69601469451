// Row 20: an idle store costs nothing, and opening and closing one leaves nothing behind; nor does a server
// beside its clients, and a client that connects and goes.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include <terrace/options.h>

#include "lab/rows/children.h"
#include "lab/rows/rows.h"

namespace terrace::lab {

inline constexpr std::chrono::milliseconds kIdleSettle{1500};  // a group sync, and what it wakes

StoreOptions served_idle_store(uint64_t seed, const std::string& directory);

RunChild describe_idle_child(CLI::App& command);
// `seconds` idle, then `cycles` of clients that come and go.
Findings idle_served(const RowOptions& options, uint64_t seconds, uint64_t cycles);
Findings run_idle(const RowOptions& options);

}  // namespace terrace::lab
