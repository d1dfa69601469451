// One tier as the store runs it, without its bytes: the store's residency, leaves and policy (E1), a capacity
// in blocks.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "policy/eviction.h"
#include "store/residency.h"

namespace terrace::simulate {

class CacheTier {
 public:
  CacheTier(uint32_t number, store::BlockTable& blocks, std::unique_ptr<policy::EvictionPolicy> policy,
            uint64_t capacity_blocks)
      : blocks_(blocks), residency_(number, blocks, std::move(policy)), capacity_blocks_(capacity_blocks) {}

  bool holds(store::BlockId block) const { return residency_.find(block) != store::kNoResidence; }
  policy::EvictionPolicy& policy() { return residency_.policy(); }

  // A request uses these blocks of its prompt, in order, the first at `time` and each one 1 ns before its
  // parent (E1): those held are touched, then the others inserted. The first that finds no room, or whose
  // parent found none, ends it: what is stored of a prompt is a prefix.
  void use(std::span<const store::BlockId> blocks, uint64_t time);

  uint64_t capacity_blocks() const { return capacity_blocks_; }
  uint64_t written_blocks() const { return written_blocks_; }
  uint64_t evicted_blocks() const { return evicted_blocks_; }

 private:
  bool insert(store::BlockId block, uint64_t time);
  bool make_room();

  store::BlockTable& blocks_;
  store::Residency residency_;
  const uint64_t capacity_blocks_;
  uint64_t written_blocks_ = 0;
  uint64_t evicted_blocks_ = 0;
};

}  // namespace terrace::simulate
