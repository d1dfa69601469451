#include "simulate/bounds.h"

#include <algorithm>

namespace terrace::simulate {
namespace {

constexpr uint32_t kNever = UINT32_MAX;

// For each access the number of the next request that uses its block.
std::vector<uint32_t> next_uses(const Trace& trace) {
  std::vector<uint32_t> next(trace.accesses.size());
  std::vector<uint32_t> upcoming(trace.unique_blocks(), kNever);
  for (size_t r = trace.requests.size(); r-- > 0;) {
    const TraceRequest& request = trace.requests[r];
    for (uint64_t i = request.first; i < request.first + request.count; ++i) {
      next[i] = upcoming[trace.accesses[i]];
      upcoming[trace.accesses[i]] = static_cast<uint32_t>(r);
    }
  }
  return next;
}

class Optimum {
 public:
  Optimum(const Trace& trace, uint64_t capacity_blocks)
      : trace_(trace),
        capacity_(capacity_blocks),
        next_(next_uses(trace)),
        use_of_(trace.unique_blocks(), kNever) {}

  void arrive(const TraceRequest& request) {
    const auto blocks = trace_.blocks_of(request);
    size_t prefix = 0;
    for (size_t i = 0; i < blocks.size(); ++i) {
      if (!holds(blocks[i])) continue;
      ++hits_;
      prefix += prefix == i ? 1 : 0;
    }
    prefix_hits_ += prefix;
    fresh_.clear();
    for (uint32_t i = 0; i < blocks.size(); ++i) keep(blocks[i], i, next_[request.first + i]);
    while (held_ > capacity_) drop_farthest();
    written_ +=
        static_cast<uint64_t>(std::ranges::count_if(fresh_, [this](auto block) { return holds(block); }));
    if (heap_.size() > 4 * capacity_ + trace_.unique_blocks()) forget_stale();
  }

  Figures figures() const {
    return {.accesses = trace_.accesses.size(),
            .hits = hits_,
            .prefix_hits = prefix_hits_,
            .tiers = {{.capacity_blocks = capacity_,
                       .prefix_hits = prefix_hits_,
                       .written_blocks = written_,
                       .evicted_blocks = written_ - held_}}};
  }

 private:
  struct Entry {
    uint32_t next;
    uint32_t depth;
    TraceBlock block;
    auto operator<=>(const Entry&) const = default;
  };

  bool holds(TraceBlock block) const { return use_of_[block] != kNever; }
  bool is_stale(const Entry& entry) const { return use_of_[entry.block] != entry.next; }

  void keep(TraceBlock block, uint32_t depth, uint32_t next) {
    const bool held = holds(block);
    held_ += next != kNever ? 1 : 0;
    held_ -= held ? 1 : 0;
    if (!held && next != kNever) fresh_.push_back(block);
    use_of_[block] = next;
    if (next == kNever) return;
    heap_.push_back({next, depth, block});
    std::ranges::push_heap(heap_);
  }

  void drop_farthest() {
    std::ranges::pop_heap(heap_);
    const Entry entry = heap_.back();
    heap_.pop_back();
    if (is_stale(entry)) return;
    use_of_[entry.block] = kNever;
    --held_;
  }

  void forget_stale() {
    std::erase_if(heap_, [this](const Entry& entry) { return is_stale(entry); });
    std::ranges::make_heap(heap_);
  }

  const Trace& trace_;
  const uint64_t capacity_;
  const std::vector<uint32_t> next_;
  std::vector<uint32_t> use_of_;  // by block: the next use of what is held; kNever: not held
  std::vector<Entry> heap_;
  std::vector<TraceBlock> fresh_;  // what this request would store, before the farthest are dropped
  uint64_t held_ = 0, written_ = 0, hits_ = 0, prefix_hits_ = 0;
};

}  // namespace

Figures optimum(const Trace& trace, uint64_t capacity_blocks, const ReplayProgress& progress) {
  constexpr uint64_t kProgressEvery = 64;
  Optimum run(trace, capacity_blocks);
  uint64_t done = 0;
  for (const TraceRequest& request : trace.requests) {
    run.arrive(request);
    if (++done % kProgressEvery == 0 && progress) progress(done);
  }
  return run.figures();
}

Figures unbounded(const Trace& trace) {
  const uint64_t hits = trace.accesses.size() - trace.unique_blocks();
  return {.accesses = trace.accesses.size(),
          .hits = hits,
          .prefix_hits = hits,
          .tiers = {{.capacity_blocks = trace.unique_blocks(),
                     .prefix_hits = hits,
                     .written_blocks = trace.unique_blocks()}}};
}

}  // namespace terrace::simulate
