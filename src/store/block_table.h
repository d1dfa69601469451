// One entry per key the store knows: found through the index, addressed by a small id. A block lives while
// something refers to it: a tier that holds it, a child, a running operation. Guarded by the store's mutex.
#pragma once

#include <span>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "store/index.h"
#include "store/types.h"

namespace terrace::store {

inline constexpr uint32_t kNoFamily = UINT32_MAX;
// Of a block known only as a parent, or by another process's word.
inline constexpr uint32_t kNoNamespace = UINT32_MAX;

struct Block {
  Key key;
  BlockId parent = kNoBlock;            // kNoBlock at the head of a chain, and while nobody told
  uint32_t name_space = kNoNamespace;   // NamespaceTable
  TenantId tenant = kNoTenant;          // its namespace's
  uint32_t family = kNoFamily;          // of several members; those of a family of one have none
  uint32_t refs = 0;                    // residences, children, running operations
  uint32_t removals = 0;                // so that bytes from before one are told from those after it (D1)
  uint32_t removing = 0;                // of them, those that tiers have yet to carry out
  uint32_t in_flight = 0;               // reservations and writes that have not made it visible yet
  uint32_t staged = 0;                  // of them, committed ones (M2)
  TierMask mask = 0;                    // as in the index
  MissReason fate = MissReason::kNone;  // why it is not in a tier the policy wanted it in
  bool asked = false;                   // some request asked for it before (R4, second_touch)
};

// Is told when a block comes into a tier, and when it leaves one.
class ResidenceWatch {
 public:
  virtual ~ResidenceWatch() = default;
  virtual void changed(const Block& block, TierMask tier, bool there) = 0;
};

class BlockTable {
 public:
  explicit BlockTable(Index& index) : index_(index) {}
  void tell(ResidenceWatch& watch) { watch_ = &watch; }

  BlockId find(const Key& key) const;
  // Finds or makes the block and adds a reference. As all that adds here: throws std::bad_alloc before
  // anything is changed.
  BlockId acquire(const Key& key);
  void add_ref(BlockId id) { ++blocks_[id].refs; }
  // Drops a reference; the last one forgets the block and releases its parent.
  void release(BlockId id);
  // Links the block below its parent (all zero: a head), once, and only while no tier holds the block: the
  // counts of resident children stand on the link. The caller holds a reference to the block.
  void set_parent(BlockId id, const Key& parent);

  // The block is a member of a family of several (E4), for as long as it lives. Set once.
  void set_family(BlockId id, const Key& family);
  // All known members of the block's family, itself among them; empty for a family of one.
  std::span<const BlockId> family(BlockId id) const {
    const uint32_t number = blocks_[id].family;
    return number == kNoFamily ? std::span<const BlockId>{} : families_[number].members;
  }

  Block& operator[](BlockId id) { return blocks_[id]; }
  const Block& operator[](BlockId id) const { return blocks_[id]; }
  // Sets or clears bits of the mask, here and in the index.
  void set_bits(BlockId id, TierMask bits, bool on);
  // Counts what may make the block visible; lookups see the bit.
  void begin_flight(BlockId id);
  void end_flight(BlockId id);
  // As end_flight, for what becomes visible now: the index learns of both with the next set_bits.
  void land(BlockId id);
  size_t capacity() const { return blocks_.size(); }  // ids are below this
  size_t live() const { return blocks_.size() - free_.size(); }

 private:
  struct Family {
    Key key;
    std::vector<BlockId> members;
  };
  void leave_family(BlockId id);

  Index& index_;
  ResidenceWatch* watch_ = nullptr;
  std::vector<Block> blocks_;
  std::vector<BlockId> free_;
  std::vector<Family> families_;
  std::vector<uint32_t> free_families_;
  boost::unordered_flat_map<Key, uint32_t, KeyHash> family_numbers_;
};

}  // namespace terrace::store
