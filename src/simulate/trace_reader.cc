#include "simulate/trace_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace terrace::simulate {

// One line per format, one file per reader.
Outcome<Trace> read_mooncake_trace(const std::string& path, const TraceOptions& options);
Outcome<Trace> read_coding_agent_trace(const std::string& path, const TraceOptions& options);
Outcome<Trace> read_terrace_trace(const std::string& path, const TraceOptions& options);

namespace {

struct Format {
  std::string_view name;
  Outcome<Trace> (*read)(const std::string& path, const TraceOptions& options);
};
constexpr Format kFormats[] = {
    {"mooncake", read_mooncake_trace},
    {"coding-agent", read_coding_agent_trace},
    {"terrace", read_terrace_trace},
};

}  // namespace

std::vector<std::string_view> trace_formats() {
  std::vector<std::string_view> names;
  for (const Format& format : kFormats) names.push_back(format.name);
  return names;
}

Outcome<Trace> read_trace(std::string_view name, const std::string& path, const TraceOptions& options) {
  for (const Format& format : kFormats) {
    if (format.name != name) continue;
    auto trace = format.read(path, options);
    if (trace && trace->accesses.empty()) {
      return failure(Code::kInvalidArgument, fmt::format("{}: no request with a block in it", path));
    }
    return trace;
  }
  return failure(Code::kInvalidArgument, fmt::format("'{}' is not a trace format; allowed are: {}", name,
                                                     fmt::join(trace_formats(), ", ")));
}

}  // namespace terrace::simulate
