// Mooncake JSONL: one request a line, `timestamp` in milliseconds, `hash_ids` of its 512-token blocks.
#include "simulate/fields.h"
#include "simulate/trace_reader.h"

namespace terrace::simulate {

Outcome<Trace> read_mooncake_trace(const std::string& path, const TraceOptions&) {
  constexpr double kMillisecond = 1e6;
  constexpr uint32_t kBlockTokens = 512;
  TraceBuilder builder;
  std::vector<uint64_t> ids;
  const auto read = for_each_line(path, [&](const Json& line) -> Outcome<void> {
    const auto time = time_field(line, "timestamp", kMillisecond);
    if (!time) return std::unexpected(time.error());
    if (auto ok = ids_field(line, "hash_ids", ids); !ok) return ok;
    return builder.add(*time, 0, ids);
  });
  if (!read) return std::unexpected(read.error());
  return std::move(builder).finish(kBlockTokens);
}

}  // namespace terrace::simulate
