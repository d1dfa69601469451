#include "simulate/cache_tier.h"

namespace terrace::simulate {

void CacheTier::use(std::span<const store::BlockId> blocks, uint64_t time) {
  for (size_t i = 0; i < blocks.size(); ++i) {
    const store::ResidenceId id = residency_.find(blocks[i]);
    if (id != store::kNoResidence) residency_.touch(id, time - i, false);
  }
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (!holds(blocks[i]) && !insert(blocks[i], time - i)) return;
  }
}

bool CacheTier::insert(store::BlockId block, uint64_t time) {
  const store::BlockId parent = blocks_[block].parent;
  if (parent != store::kNoBlock && !holds(parent)) return false;
  residency_.add_child(parent);  // as a reservation does: the parent must not make the room
  const bool room = make_room();
  if (room) {
    const policy::Rank rank = policy().rank({blocks_[block].key, time, true});
    residency_.insert(block, 1, 0, 0, tier::kNoSegment, rank);
    ++written_blocks_;
  }
  residency_.drop_child(parent);
  return room;
}

bool CacheTier::make_room() {
  while (residency_.blocks() >= capacity_blocks_) {
    const auto coldest = residency_.coldest_leaf(0);
    if (!coldest) return false;
    residency_.erase(*coldest);
    ++evicted_blocks_;
  }
  return true;
}

}  // namespace terrace::simulate
