#include "store/block_table.h"

#include <utility>

#include "base/assert.h"
#include "base/hooks.h"
#include "store/make_room.h"

namespace terrace::store {

BlockId BlockTable::find(const Key& key) const {
  const auto entry = index_.find(key);
  return entry ? entry->block : kNoBlock;
}

BlockId BlockTable::acquire(const Key& key) {
  BlockId id = find(key);
  if (id == kNoBlock) {
    make_room(blocks_, free_);
    const bool fresh = free_.empty();
    id = fresh ? static_cast<BlockId>(blocks_.size()) : free_.back();
    index_.put(key, {id, 0});
    if (fresh) {
      blocks_.emplace_back();
    } else {
      free_.pop_back();
      blocks_[id] = Block{};
    }
    blocks_[id].key = key;
  }
  ++blocks_[id].refs;
  return id;
}

void BlockTable::release(BlockId id) {
  // A chain of placeholders unwinds in a loop: prompts can be thousands of blocks deep.
  while (id != kNoBlock) {
    Block& block = blocks_[id];
    TERRACE_ASSERT(block.refs > 0);
    if (--block.refs > 0) return;
    TERRACE_ASSERT(block.mask == 0);
    leave_family(id);
    index_.erase(block.key);
    free_.push_back(id);
    id = block.parent;
  }
}

void BlockTable::set_parent(BlockId id, const Key& parent) {
  const bool held = (blocks_[id].mask & ~kInFlightBit) != 0;
  if (held || blocks_[id].parent != kNoBlock || parent.is_zero() || parent == blocks_[id].key) return;
  const BlockId parent_id = acquire(parent);
  // Keys are hash chains, so a cycle means that a caller named parents at will: refuse the link, not the
  // block. A block that only the caller refers to has no child, so it closes none: the common case, and a
  // walk for each block of a long prompt would be quadratic.
  const bool may_have_child = blocks_[id].refs > 1;
  for (BlockId up = parent_id; may_have_child && up != kNoBlock; up = blocks_[up].parent) {
    if (up == id) {
      TERRACE_PROBE("store.parents_in_a_circle");
      return release(parent_id);
    }
  }
  blocks_[id].parent = parent_id;
}

void BlockTable::set_family(BlockId id, const Key& family) {
  if (blocks_[id].family != kNoFamily) return;
  if (const auto known = family_numbers_.find(family); known != family_numbers_.end()) {
    families_[known->second].members.push_back(id);
    blocks_[id].family = known->second;
    return;
  }
  make_room(families_, free_families_);
  const bool fresh = free_families_.empty();
  const uint32_t number = fresh ? static_cast<uint32_t>(families_.size()) : free_families_.back();
  Family made{family, {id}};
  family_numbers_.emplace(family, number);
  if (fresh) {
    families_.emplace_back();
  } else {
    free_families_.pop_back();
  }
  families_[number] = std::move(made);
  blocks_[id].family = number;
}

void BlockTable::leave_family(BlockId id) {
  const uint32_t number = std::exchange(blocks_[id].family, kNoFamily);
  if (number == kNoFamily) return;
  Family& family = families_[number];
  std::erase(family.members, id);
  if (!family.members.empty()) return;
  family_numbers_.erase(family.key);
  free_families_.push_back(number);
}

void BlockTable::set_bits(BlockId id, TierMask bits, bool on) {
  Block& block = blocks_[id];
  const auto mask = static_cast<TierMask>(on ? block.mask | bits : block.mask & ~bits);
  if (mask == block.mask) return;
  block.mask = mask;
  if (watch_ != nullptr && bits != kInFlightBit) watch_->changed(block, bits, on);
  if (!on && TERRACE_MUTANT("store.lookup_sees_what_left")) return;
  index_.set_mask(block.key, mask);
}

void BlockTable::begin_flight(BlockId id) {
  if (blocks_[id].in_flight++ == 0) set_bits(id, kInFlightBit, true);
}

void BlockTable::end_flight(BlockId id) {
  TERRACE_ASSERT(blocks_[id].in_flight > 0);
  if (--blocks_[id].in_flight == 0) set_bits(id, kInFlightBit, false);
}

void BlockTable::land(BlockId id) {
  Block& block = blocks_[id];
  TERRACE_ASSERT(block.in_flight > 0);
  if (--block.in_flight == 0) block.mask = static_cast<TierMask>(block.mask & ~kInFlightBit);
}

}  // namespace terrace::store
