// L1: the arena, the buffers in it, and the residency of what it holds. Guarded by the store's mutex.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "store/buffer.h"
#include "store/residency.h"

namespace terrace::store {

class L1 {
 public:
  // `left` is told of every block that leaves by eviction.
  using Left = std::function<void(BlockId, MissReason)>;
  // `owed`: the block must be written down before it may leave (E3). Answering true starts that, so that the
  // block becomes a candidate again later.
  using Owed = std::function<bool(BlockId)>;
  // `freed`: nothing refers any more to a block in the caller's memory, or to one that never was resident, or
  // whose header stands in a page of its own.
  using Freed = std::function<void(Buffer&)>;
  struct Hooks {
    Left left;
    Owed owed;
    Freed freed;
  };
  L1(std::unique_ptr<memory::Arena> arena, std::unique_ptr<policy::EvictionPolicy> policy, BlockTable& blocks,
     Hooks hooks);
  ~L1();

  // A private buffer with one reference, in a segment of the owner's, or null when no room can be made (E2)
  // or the tenant's quota has none (D2). Keeps a reference to the block, whose tenant is known.
  Buffer* allocate_store(const record::BlockMeta& meta, memory::SlotOwner owner);
  // As allocate_store, for a block of a tier. What is loaded counts only when it is kept: a tenant that has
  // all of its quota makes the room from its own blocks.
  Buffer* allocate_load(const record::BlockMeta& meta);
  // Whether the tenant's quota lets L1 keep the private buffer, after its colder blocks have left for it.
  bool may_keep(const Buffer* buffer);
  // The owner's segments are `to`'s (Arena::disown). False: call again, it has more of them.
  bool disown(memory::SlotOwner owner, memory::SlotOwner to);
  // A buffer with one reference for a block in the caller's memory: no room of L1, never resident.
  Buffer* adopt_caller(const record::BlockMeta& meta, std::unique_ptr<CallerMemory> memory);
  // Drops a reference; frees the memory when it was the last one and L1 does not hold the buffer.
  void unref(Buffer* buffer);
  void ref(Buffer* buffer);
  // L1 holds the buffer from now on; its block must not be resident yet. `time` as policy::Use.
  void publish(Buffer* buffer, uint64_t time);
  Buffer* find(BlockId block) const;
  // Takes the block out of L1; leased bytes live on.
  void drop(BlockId block);
  // Evicts cold leaves until at most `bytes` of slots are used, at most `count` blocks. True when it got
  // there.
  bool evict_to(uint64_t bytes, size_t count);
  // Evicts the leaves of tenants above their quota, at most `count` blocks. True when none of them has more
  // that may leave.
  bool evict_above(size_t count);
  // Lets everything go that nothing refers to, and the rest with its last reference (M4).
  void drain();

  Residency& residency() { return residency_; }
  const Residency& residency() const { return residency_; }
  memory::Arena& arena() { return *arena_; }
  const memory::Arena& arena() const { return *arena_; }
  uint64_t budget() const;
  uint64_t used_bytes() const { return arena_->slots().usage().slot_bytes; }
  uint64_t evictions() const { return evictions_; }
  uint64_t evicted_segments() const { return evicted_segments_; }
  uint64_t buffers() const { return buffers_; }              // alive, resident or not
  uint64_t private_bytes() const { return private_bytes_; }  // of buffers L1 does not hold

 private:
  using Leaf = std::optional<BlockId>;
  Leaf free_leaf(const std::function<Leaf()>& next);
  Leaf leaf_of(TenantId tenant, uint64_t bucket);
  bool fit_quota(TenantId tenant, uint64_t bytes, uint64_t bucket);
  bool make_room(TenantId tenant, bool only_own, uint64_t bucket);
  bool empty_segment(TenantId tenant, bool only_own);
  Buffer* take_slot(const record::BlockMeta& meta, BlockId block, memory::SlotOwner owner);
  uint64_t bucket_for(uint64_t bytes, memory::SlotOwner owner) const;
  void count_out(const Buffer& buffer);
  void evict_for_quota(BlockId block);
  void evict(BlockId block);
  void evict_one(BlockId block);
  void free(Buffer* buffer);

  std::unique_ptr<memory::Arena> arena_;
  BlockTable& blocks_;
  Residency residency_;
  const Hooks hooks_;
  uint64_t evictions_ = 0;
  uint64_t evicted_segments_ = 0;
  uint64_t buffers_ = 0;
  uint64_t private_bytes_ = 0;
};

}  // namespace terrace::store
