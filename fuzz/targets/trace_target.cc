// Traces of every format: the first byte chooses one, the rest is the file.
#include <algorithm>

#include "base/assert.h"
#include "fuzz/kit/input.h"
#include "fuzz/kit/target.h"
#include "fuzz/targets/text_file.h"
#include "simulate/trace_reader.h"

namespace terrace::fuzz {
namespace {

using simulate::Trace;

void check(const Trace& trace) {
  TERRACE_ASSERT(!trace.accesses.empty());
  for (size_t block = 0; block < trace.parents.size(); ++block) {
    TERRACE_ASSERT(trace.parents[block] == simulate::kNoParent || trace.parents[block] < block);
  }
  uint64_t accesses = 0, time = 0;
  for (const simulate::TraceRequest& request : trace.requests) {
    TERRACE_ASSERT(request.first + request.count <= trace.accesses.size() && request.time >= time);
    time = request.time;
    accesses += request.count;
    auto parent = simulate::kNoParent;
    for (const simulate::TraceBlock block : trace.blocks_of(request)) {
      TERRACE_ASSERT(block < trace.parents.size() && trace.parents[block] == parent);
      parent = block;
    }
  }
  TERRACE_ASSERT(accesses == trace.accesses.size());
}

void run(std::span<const std::byte> input) {
  static const TextFile file;
  static const bool missing_is_refused = !simulate::read_trace("terrace", "/nonexistent", {});
  TERRACE_ASSERT(missing_is_refused);
  Input bytes(input);
  const auto formats = simulate::trace_formats();
  // One more than there are: a name nobody knows.
  const size_t chosen = bytes.below(static_cast<uint32_t>(formats.size() + 1));
  file.write(bytes.rest());
  const auto trace =
      simulate::read_trace(chosen < formats.size() ? formats[chosen] : "unknown", file.path(), {});
  if (!trace) {
    TERRACE_ASSERT(!trace.error().message.empty());
    return;
  }
  check(*trace);
  check(simulate::with_larger_blocks(*trace, 2));
}

const Registered kRegistered({.name = "trace", .run = run});

}  // namespace
}  // namespace terrace::fuzz
