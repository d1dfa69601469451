#include "simulate/replay.h"

#include <algorithm>

#include "base/assert.h"
#include "base/random.h"
#include "simulate/cache_tier.h"

namespace terrace::simulate {
namespace {

// The name of a block: uniform, as a digest is, and the same in every replay.
Key key_of(TraceBlock block) {
  Key key;
  uint64_t state = block;
  for (size_t at = 0; at < key.bytes.size(); at += 8) {
    const uint64_t word = base::split_mix(state);
    std::memcpy(key.bytes.data() + at, &word, sizeof word);
  }
  return key;
}

class Replay {
 public:
  explicit Replay(const Trace& trace) : trace_(trace) {
    // Every block is known to the table from the start and stays: the trace's numbers are the store's ids.
    for (TraceBlock block = 0; block < trace.unique_blocks(); ++block) {
      const store::BlockId id = blocks_.acquire(key_of(block));
      TERRACE_ASSERT(id == block);
      if (trace.parents[block] != kNoParent) blocks_.set_parent(id, blocks_[trace.parents[block]].key);
    }
  }

  Outcome<void> add_tier(std::string_view policy, uint64_t capacity_blocks) {
    auto made = policy::make_eviction_policy(policy);
    if (!made) return std::unexpected(made.error());
    const auto number = static_cast<uint32_t>(tiers_.size());
    tiers_.push_back(std::make_unique<CacheTier>(number, blocks_, *std::move(made), capacity_blocks));
    figures_.tiers.push_back({.capacity_blocks = capacity_blocks});
    return {};
  }

  void arrive(const TraceRequest& request, uint32_t chunk_blocks) {
    const auto blocks = trace_.blocks_of(request);
    const size_t found = sample(blocks);
    if (chunk_blocks == 0) return use(blocks, 0, blocks.size(), blocks.size(), request.time);
    use(blocks, 0, found, blocks.size(), request.time);
    for (size_t begin = found; begin < blocks.size(); begin += chunk_blocks) {
      const size_t end = std::min<size_t>(begin + chunk_blocks, blocks.size());
      use(blocks, begin, end, end, request.time);
    }
  }

  Figures figures() && {
    for (size_t i = 0; i < tiers_.size(); ++i) {
      figures_.tiers[i].written_blocks = tiers_[i]->written_blocks();
      figures_.tiers[i].evicted_blocks = tiers_[i]->evicted_blocks();
    }
    return std::move(figures_);
  }

 private:
  // Counts what the request finds; the length of the prefix found.
  size_t sample(std::span<const TraceBlock> blocks) {
    size_t prefix = 0;
    figures_.accesses += blocks.size();
    for (size_t i = 0; i < blocks.size(); ++i) {
      const auto holder =
          std::ranges::find_if(tiers_, [&](const auto& tier) { return tier->holds(blocks[i]); });
      if (holder == tiers_.end()) continue;
      ++figures_.hits;
      if (prefix < i) continue;
      ++prefix;
      ++figures_.tiers[static_cast<size_t>(holder - tiers_.begin())].prefix_hits;
    }
    figures_.prefix_hits += prefix;
    return prefix;
  }

  // Uses blocks [begin, end) of the prompt; the policies are told of [begin, told).
  void use(std::span<const TraceBlock> blocks, size_t begin, size_t end, size_t told, uint64_t now) {
    // Times grow as the store's do (StorageManager::use_times).
    last_time_ = std::max(last_time_ + (end - begin), now);
    keys_.clear();
    for (size_t i = begin; i < told; ++i) keys_.push_back(blocks_[blocks[i]].key);
    const Key parent = begin == 0 ? Key{} : blocks_[blocks[begin - 1]].key;
    for (const auto& tier : tiers_) {
      tier->policy().request(keys_, parent, last_time_);
      tier->use(blocks.subspan(begin, end - begin), last_time_);
    }
  }

  const Trace& trace_;
  store::Index index_;
  store::BlockTable blocks_{index_};
  std::vector<std::unique_ptr<CacheTier>> tiers_;
  uint64_t last_time_ = 0;
  std::vector<Key> keys_;
  Figures figures_;
};

}  // namespace

Outcome<Figures> replay(const Trace& trace, const CacheSetup& setup, const ReplayProgress& progress) {
  constexpr uint64_t kProgressEvery = 64;
  Replay run(trace);
  for (const uint64_t capacity : setup.tier_blocks) {
    if (auto ok = run.add_tier(setup.policy, capacity); !ok) return std::unexpected(ok.error());
  }
  uint64_t done = 0;
  for (const TraceRequest& request : trace.requests) {
    run.arrive(request, setup.chunk_blocks);
    if (++done % kProgressEvery == 0 && progress) progress(done);
  }
  return std::move(run).figures();
}

}  // namespace terrace::simulate
