// What one tier (L1 included) holds, and what of it may leave: residences, leaf-only eviction order (E1),
// segments that can be emptied whole (E2). Guarded by the store's mutex.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "policy/eviction.h"
#include "store/block_table.h"
#include "store/leaf_queue.h"
#include "store/tenant_shares.h"
#include "store/types.h"
#include "tier/tier.h"

namespace terrace::store {

using ResidenceId = uint32_t;
inline constexpr ResidenceId kNoResidence = UINT32_MAX;

struct Residence {
  BlockId block = kNoBlock;
  uint32_t generation = 0;  // of the id; tells a handle of an earlier life
  uint64_t place = 0;       // the tier's; L1: the Buffer's address
  uint64_t bucket = 0;
  uint64_t payload_bytes = 0;
  policy::Rank rank = 0;
  uint32_t segment = tier::kNoSegment;
  TenantId tenant = kNoTenant;                               // whose share it is counted in
  uint32_t pins = 0;                                         // leases and running transfers
  ResidenceId next = kNoResidence, previous = kNoResidence;  // in the segment
  bool queued = false;                                       // has an entry in the leaf queue
};

// A block that a pin keeps in a tier.
struct PinnedHold {
  uint32_t tier;
  uint32_t id;
  uint32_t generation;
};

class Residency {
 public:
  Residency(uint32_t tier, BlockTable& blocks, std::unique_ptr<policy::EvictionPolicy> policy)
      : tier_(tier), blocks_(blocks), policy_(std::move(policy)) {}

  // The block is in this tier from now on. It must not be. Throws std::bad_alloc before anything is changed.
  ResidenceId insert(BlockId block, uint64_t payload_bytes, uint64_t place, uint64_t bucket, uint32_t segment,
                     policy::Rank rank);
  void erase(BlockId block);
  // The block is its tenant's from now on, if it is in this tier.
  void recount(BlockId block);

  ResidenceId find(BlockId block) const {
    return block < residence_of_.size() ? residence_of_[block] : kNoResidence;
  }
  Residence& operator[](ResidenceId id) { return residences_[id]; }
  const Residence& operator[](ResidenceId id) const { return residences_[id]; }
  bool holds(ResidenceId id, uint32_t generation) const {
    return residences_[id].generation == generation && residences_[id].block != kNoBlock;
  }

  // A use by a request; `time` as policy::Use.
  void touch(ResidenceId id, uint64_t time, bool inserted);
  void pin(ResidenceId id);
  void unpin(ResidenceId id);
  // Something that will be in this tier (a reservation, a write under way) stands below `parent`, which must
  // not be evicted before it (E1). kNoBlock is fine.
  void add_child(BlockId parent);
  void drop_child(BlockId parent);
  // A slot of the segment is taken by something that is no residence (a reservation, a write): it cannot be
  // emptied.
  void hold_segment(uint32_t segment);
  void drop_segment(uint32_t segment);

  // The segment's blocks compete for slots of another bucket now.
  void move_to_bucket(uint32_t segment, uint64_t bucket);

  // A leaf that was handed out as the coldest and did not leave.
  void reconsider(BlockId block) {
    if (const ResidenceId id = find(block); id != kNoResidence) queue_if_candidate(id);
  }

  // The coldest leaf that is not pinned: of a bucket, or of all. The caller evicts it.
  std::optional<BlockId> coldest_leaf(uint64_t bucket);
  std::optional<BlockId> coldest_leaf();
  // Of the tenants above their quota, in a bucket.
  std::optional<BlockId> coldest_leaf_above(uint64_t bucket);
  // Of one tenant: in a bucket, or in all.
  std::optional<BlockId> coldest_leaf_of(TenantId tenant, uint64_t bucket);
  std::optional<BlockId> coldest_leaf_of(TenantId tenant);
  // The blocks of the domain's coldest segment without a pinned or held slot, one that serves only a tenant
  // above its quota before others; empty when there is none.
  std::vector<BlockId> coldest_segment(uint32_t domain = 0) const;
  // Only a segment that serves this tenant alone, or one above its quota.
  std::vector<BlockId> coldest_segment_for(TenantId tenant, uint32_t domain = 0) const;
  // Blocks in one segment.
  std::vector<BlockId> blocks_in(uint32_t segment) const;

  bool evicts() const { return policy_->evicts(); }
  policy::EvictionPolicy& policy() { return *policy_; }
  TenantShares& shares() { return shares_; }
  const TenantShares& shares() const { return shares_; }
  uint64_t blocks() const { return count_; }
  uint64_t payload_bytes() const { return payload_bytes_; }
  uint32_t children(BlockId block) const { return block < children_.size() ? children_[block] : 0; }

 private:
  static constexpr TenantId kSeveral = UINT32_MAX;
  struct SegmentUse {
    ResidenceId first = kNoResidence;
    TenantId tenant = kNoTenant;  // whose blocks it had since it was empty
    uint32_t held = 0;            // pinned residences and held slots
    policy::Rank warmest = 0;     // upper bound of its blocks' ranks
  };
  void grow();
  void queue_if_candidate(ResidenceId id);
  LeafQueue::Verdict judge(const LeafQueue::Lane& lane, LeafQueue::Entry& entry);
  LeafQueue::Judge judge();
  uint32_t coldest_segment_number(uint32_t domain, std::optional<TenantId> only) const;
  std::optional<BlockId> taken(std::optional<LeafQueue::Entry> entry);

  const uint32_t tier_;
  BlockTable& blocks_;
  std::unique_ptr<policy::EvictionPolicy> policy_;
  std::vector<ResidenceId> residence_of_;  // by block
  std::vector<uint32_t> children_;         // by block: its children in this tier
  std::vector<Residence> residences_;
  std::vector<ResidenceId> free_;
  // By number: numbers are sparse, a domain stands in their high bits.
  boost::unordered_flat_map<uint32_t, SegmentUse> segments_;
  LeafQueue leaves_;
  TenantShares shares_;
  uint64_t count_ = 0;
  uint64_t payload_bytes_ = 0;
};

// A parent that must not make the room of its own child (E1), for as long as this lives.
class ShelteredParent {
 public:
  ShelteredParent(Residency& residency, BlockId parent) : residency_(residency), parent_(parent) {
    residency_.add_child(parent_);
  }
  ShelteredParent(const ShelteredParent&) = delete;
  ShelteredParent& operator=(const ShelteredParent&) = delete;
  ~ShelteredParent() { residency_.drop_child(parent_); }

 private:
  Residency& residency_;
  const BlockId parent_;
};

}  // namespace terrace::store
