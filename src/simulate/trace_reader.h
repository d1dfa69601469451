// Trace files and how they are read (docs/policies.md, "Trace formats").
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "simulate/trace.h"

namespace terrace::simulate {

struct TraceOptions {
  // Formats whose sessions have no common clock: session k, in order of file name, begins at k times this.
  uint64_t session_interval = 60'000'000'000;
};

// "mooncake", "coding-agent", "terrace". A trace without a request is an error, as is every line that is not
// understood: the message names the file, the line where there is one, and what is wrong.
Outcome<Trace> read_trace(std::string_view format, const std::string& path, const TraceOptions& options);
std::vector<std::string_view> trace_formats();

}  // namespace terrace::simulate
