// A trace: which blocks which request asked for, and when. Blocks are numbered densely; a number stands for
// the block and its whole prefix, so a block has one parent.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include <terrace/error.h>

namespace terrace::simulate {

using TraceBlock = uint32_t;
inline constexpr TraceBlock kNoParent = UINT32_MAX;

struct TraceRequest {
  uint64_t time = 0;  // nanoseconds since the trace began
  uint64_t first = 0;
  uint32_t count = 0;
};

struct Trace {
  std::vector<TraceRequest> requests;  // by time
  std::vector<TraceBlock> accesses;    // the blocks of all requests, each request's in prompt order
  std::vector<TraceBlock> parents;     // of each block; a parent's number is below its child's
  uint32_t block_tokens = 0;           // 0: the trace does not say

  std::span<const TraceBlock> blocks_of(const TraceRequest& request) const {
    return std::span(accesses).subspan(request.first, request.count);
  }
  uint64_t unique_blocks() const { return parents.size(); }
  // From the first request to the last.
  uint64_t duration() const { return requests.empty() ? 0 : requests.back().time - requests.front().time; }
};

// Builds a trace from the ids of a file, and holds them to the prefix rule.
class TraceBuilder {
 public:
  // Forgets the ids known so far: those of the next requests are other blocks.
  void new_scope() { known_.clear(); }
  // A request of the blocks `ids`, which share a name space. Fails when an id stands behind another parent
  // than before: it does not name its prefix. The message names the id and its position.
  Outcome<void> add(uint64_t time, uint32_t name_space, std::span<const uint64_t> ids);
  // The trace, in order of time; requests of one time stay in the order they came.
  Trace finish(uint32_t block_tokens) &&;

 private:
  struct Id {
    uint64_t id;
    uint32_t name_space;
    friend bool operator==(const Id&, const Id&) = default;
  };
  struct IdHash {
    using is_avalanching = void;
    size_t operator()(const Id& id) const;
  };
  boost::unordered_flat_map<Id, TraceBlock, IdHash> known_;
  Trace trace_;
};

// The same requests with blocks of `factor` times the tokens. The last block of a request may be partly
// filled; it is a block of its own, as in the trace.
Trace with_larger_blocks(const Trace& trace, uint32_t factor);

}  // namespace terrace::simulate
