#include "simulate/trace.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/random.h"

namespace terrace::simulate {

size_t TraceBuilder::IdHash::operator()(const Id& id) const {
  uint64_t state = id.id ^ (uint64_t{id.name_space} << 40);
  return base::split_mix(state);
}

Outcome<void> TraceBuilder::add(uint64_t time, uint32_t name_space, std::span<const uint64_t> ids) {
  TraceRequest request{time, trace_.accesses.size(), 0};
  TraceBlock parent = kNoParent;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (trace_.parents.size() >= kNoParent) {
      return failure(Code::kLimitExceeded, "more than 4,294,967,294 different blocks");
    }
    const auto next = static_cast<TraceBlock>(trace_.parents.size());
    const auto [it, is_new] = known_.try_emplace(Id{ids[i], name_space}, next);
    if (is_new) {
      trace_.parents.push_back(parent);
    } else if (trace_.parents[it->second] != parent) {
      return failure(
          Code::kInvalidArgument,
          fmt::format(
              "block {} (position {}) stood behind another block before: an id names its whole prefix",
              ids[i], i));
    }
    parent = it->second;
    trace_.accesses.push_back(parent);
  }
  request.count = static_cast<uint32_t>(ids.size());
  trace_.requests.push_back(request);
  return {};
}

Trace TraceBuilder::finish(uint32_t block_tokens) && {
  std::ranges::sort(trace_.requests, {}, [](const TraceRequest& request) {
    return std::pair(request.time, request.first);  // as they came
  });
  trace_.block_tokens = block_tokens;
  return std::move(trace_);
}

Trace with_larger_blocks(const Trace& trace, uint32_t factor) {
  Trace larger;
  larger.block_tokens = trace.block_tokens * factor;
  // A block is named by the last of those it is made of, which names their prefix too.
  std::vector<TraceBlock> number_of(trace.unique_blocks(), kNoParent);
  for (const TraceRequest& request : trace.requests) {
    const auto blocks = trace.blocks_of(request);
    TraceRequest made{request.time, larger.accesses.size(), 0};
    TraceBlock parent = kNoParent;
    for (size_t i = 0; i < blocks.size(); i += factor) {
      TraceBlock& number = number_of[blocks[std::min(i + factor, blocks.size()) - 1]];
      if (number == kNoParent) {
        number = static_cast<TraceBlock>(larger.parents.size());
        larger.parents.push_back(parent);
      }
      parent = number;
      larger.accesses.push_back(parent);
      ++made.count;
    }
    larger.requests.push_back(made);
  }
  return larger;
}

}  // namespace terrace::simulate
