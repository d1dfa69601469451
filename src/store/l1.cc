#include "store/l1.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/hooks.h"
#include "store/evict_above.h"

namespace terrace::store {

namespace {

// What competes for slots: those of one size and one owner. Sizes are whole pages.
uint64_t bucket_of(uint64_t slot_bytes, memory::SlotOwner owner) {
  TERRACE_ASSERT(owner < base::kPage);
  return slot_bytes | owner;
}

}  // namespace

L1::L1(std::unique_ptr<memory::Arena> arena, std::unique_ptr<policy::EvictionPolicy> policy,
       BlockTable& blocks, Hooks hooks)
    : arena_(std::move(arena)),
      blocks_(blocks),
      residency_(kL1, blocks, std::move(policy)),
      hooks_(std::move(hooks)) {}

// Whoever still held a buffer held the store too, so only resident ones are left here.
L1::~L1() {
  for (uint32_t segment = 0; segment < arena_->slots().segments(); ++segment) {
    for (const BlockId block : residency_.blocks_in(segment)) drop(block);
  }
}

uint64_t L1::budget() const {
  const auto& options = arena_->slots().options();
  return options.segment_bytes * arena_->slots().segments();
}

uint64_t L1::bucket_for(uint64_t bytes, memory::SlotOwner owner) const {
  return bucket_of(arena_->slots().class_for(bytes, owner), owner);
}

Buffer* L1::allocate_store(const record::BlockMeta& meta, memory::SlotOwner owner) {
  const uint64_t bytes = record::record_bytes(meta.payload_bytes);
  const BlockId block = blocks_.acquire(meta.key);
  const TenantId tenant = blocks_[block].tenant;
  TenantShares& shares = residency_.shares();
  shares.make_room(tenant);
  Buffer* buffer = nullptr;
  bool fits =
      shares[tenant].limits.held == kNoQuota || shares[tenant].held + bytes <= shares[tenant].limits.held;
  if (fits) {
    const ShelteredParent parent(residency_, blocks_[block].parent);
    fits = fit_quota(tenant, bytes, bucket_for(bytes, owner));
  }
  if (!fits) {
    TERRACE_PROBE("store.no_quota_for_a_store");
    shares.count_refusal(tenant);
  } else {
    buffer = take_slot(meta, block, owner);
  }
  if (buffer != nullptr) {
    buffer->is_store = true;
    shares.hold(tenant, bytes);
  }
  blocks_.release(block);
  return buffer;
}

Buffer* L1::allocate_load(const record::BlockMeta& meta) {
  const uint64_t bytes = record::record_bytes(meta.payload_bytes);
  const BlockId block = blocks_.acquire(meta.key);
  const TenantId tenant = blocks_[block].tenant;
  TenantShares& shares = residency_.shares();
  shares.make_room(tenant);
  Buffer* buffer = nullptr;
  const auto& share = shares[tenant];
  if (share.limits.leased == kNoQuota || share.leased + bytes <= share.limits.leased) {
    buffer = take_slot(meta, block, 0);
  } else {
    shares.count_refusal(tenant);
  }
  if (buffer != nullptr) shares.lease(tenant, bytes);
  blocks_.release(block);
  return buffer;
}

// A slot for the block, others evicted for it if need be. Who is above its quota leaves first, and a tenant
// whose quota has no room for the block pushes out nobody within theirs.
Buffer* L1::take_slot(const record::BlockMeta& meta, BlockId block, memory::SlotOwner owner) {
  const uint64_t bytes = record::record_bytes(meta.payload_bytes);
  const TenantId tenant = blocks_[block].tenant;
  const bool only_own = residency_.shares().exceeds(tenant, bytes);
  const ShelteredParent parent(residency_, only_own ? blocks_[block].parent : kNoBlock);
  bool took_segment = false;  // at most one a reservation (E2)
  for (;;) {
    auto got = arena_->allocate(bytes, owner);
    if (got) {
      auto buffer = std::make_unique<Buffer>();
      buffer->slot = got->slot;
      buffer->slot_bytes = got->bytes;
      buffer->owner = owner;
      buffer->meta = meta;
      buffer->refs = 1;
      buffer->block = blocks_.acquire(meta.key);
      buffer->tenant = tenant;
      buffer->parent = blocks_[buffer->block].parent;
      buffer->removals = blocks_[buffer->block].removals;
      residency_.add_child(buffer->parent);
      residency_.hold_segment(buffer->slot.segment);
      ++buffers_;
      private_bytes_ += buffer->slot.bytes;
      return buffer.release();  // owned by its references; free() takes it back
    }
    if (got.error().code != Code::kNoRoom) return nullptr;
    if (make_room(tenant, only_own, bucket_for(bytes, owner))) continue;
    if (std::exchange(took_segment, true) || !empty_segment(tenant, only_own)) return nullptr;
  }
}

// Evicts one leaf that frees a slot of the bucket.
bool L1::make_room(TenantId tenant, bool only_own, uint64_t bucket) {
  if (const Leaf leaf = free_leaf([&] { return residency_.coldest_leaf_above(bucket); })) {
    evict_for_quota(*leaf);
    return true;
  }
  const Leaf leaf = free_leaf([&] {
    return only_own ? residency_.coldest_leaf_of(tenant, bucket) : residency_.coldest_leaf(bucket);
  });
  if (leaf && only_own) evict_for_quota(*leaf);
  if (leaf && !only_own) evict(*leaf);
  return leaf.has_value();
}

bool L1::empty_segment(TenantId tenant, bool only_own) {
  const auto segment = only_own ? residency_.coldest_segment_for(tenant) : residency_.coldest_segment();
  if (segment.empty() || std::ranges::count_if(segment, hooks_.owed) > 0) return false;
  TERRACE_PROBE("store.segment_of_l1_emptied");
  ++evicted_segments_;
  for (const BlockId block : segment) {
    if (find(block) != nullptr) evict(block);  // it may have left with its family
  }
  return true;
}

// Of the bucket that is needed, so that the slot serves again; of any when there is none.
L1::Leaf L1::leaf_of(TenantId tenant, uint64_t bucket) {
  if (const Leaf leaf = free_leaf([&] { return residency_.coldest_leaf_of(tenant, bucket); })) return leaf;
  return free_leaf([&] { return residency_.coldest_leaf_of(tenant); });
}

// Makes `bytes` more fit the tenant's quota, by evicting its own coldest leaves.
bool L1::fit_quota(TenantId tenant, uint64_t bytes, uint64_t bucket) {
  const TenantShares& shares = residency_.shares();
  if (bytes > shares[tenant].limits.used) return false;
  while (shares.exceeds(tenant, bytes)) {
    const Leaf leaf = leaf_of(tenant, bucket);
    if (!leaf) return false;
    evict_for_quota(*leaf);
  }
  return true;
}

bool L1::may_keep(const Buffer* buffer) {
  const TenantId tenant = blocks_[buffer->block].tenant;
  residency_.shares().make_room(tenant);
  const bool may = fit_quota(tenant, record::record_bytes(buffer->meta.payload_bytes),
                             bucket_of(buffer->slot.bytes, buffer->owner));
  if (!may) {
    TERRACE_PROBE("store.no_quota_to_keep_a_load");
    residency_.shares().count_refusal(tenant);
  }
  return may;
}

Buffer* L1::adopt_caller(const record::BlockMeta& meta, std::unique_ptr<CallerMemory> memory) {
  auto buffer = std::make_unique<Buffer>();
  buffer->meta = meta;
  buffer->refs = 1;
  buffer->block = blocks_.acquire(meta.key);
  buffer->removals = blocks_[buffer->block].removals;
  buffer->caller = std::move(memory);
  ++buffers_;
  return buffer.release();  // owned by its references; free() takes it back
}

// The first leaf that owes nothing to a tier; what owes is on its way there and a candidate again later.
L1::Leaf L1::free_leaf(const std::function<Leaf()>& next) {
  std::vector<BlockId> owing;
  Leaf leaf;
  for (;;) {
    leaf = next();
    if (!leaf || !hooks_.owed(*leaf)) break;
    TERRACE_PROBE("store.leaf_that_is_owed");
    owing.push_back(*leaf);
  }
  for (const BlockId block : owing) residency_.reconsider(block);
  return leaf;
}

void L1::ref(Buffer* buffer) {
  if (buffer->refs++ == 0 && buffer->resident) residency_.pin(residency_.find(buffer->block));
}

void L1::unref(Buffer* buffer) {
  TERRACE_ASSERT(buffer->refs > 0);
  if (--buffer->refs > (TERRACE_MUTANT("store.free_while_leased") && !buffer->resident ? 1 : 0)) return;
  if (!buffer->resident) return free(buffer);
  residency_.unpin(residency_.find(buffer->block));
  if (buffer->temporary) {
    TERRACE_PROBE("store.temporary_copy_dropped");
    drop(buffer->block);
  }
}

void L1::publish(Buffer* buffer, uint64_t time) {
  TERRACE_ASSERT(!buffer->resident && buffer->refs > 0 && !buffer->caller);
  const policy::Rank rank = residency_.policy().rank({buffer->meta.key, time, true});
  const ResidenceId id =
      residency_.insert(buffer->block, buffer->meta.payload_bytes, reinterpret_cast<uint64_t>(buffer),
                        bucket_of(buffer->slot.bytes, arena_->slots().owner_of(buffer->slot.segment)),
                        buffer->slot.segment, rank);
  count_out(*buffer);
  residency_.pin(id);
  residency_.drop_segment(buffer->slot.segment);
  residency_.drop_child(buffer->parent);
  buffer->parent = kNoBlock;
  private_bytes_ -= buffer->slot.bytes;
  buffer->resident = true;
}

// A private buffer is counted no more.
void L1::count_out(const Buffer& buffer) {
  const uint64_t bytes = record::record_bytes(buffer.meta.payload_bytes);
  TenantShares& shares = residency_.shares();
  if (TERRACE_MUTANT("store.leak_a_share")) return;
  if (buffer.is_store) {
    shares.let_go(buffer.tenant, bytes);
  } else {
    shares.give_back(buffer.tenant, bytes);
  }
}

Buffer* L1::find(BlockId block) const {
  const ResidenceId id = residency_.find(block);
  return id == kNoResidence ? nullptr : reinterpret_cast<Buffer*>(residency_[id].place);
}

void L1::drop(BlockId block) {
  Buffer* buffer = find(block);
  if (buffer == nullptr) return;
  buffer->tenant = residency_[residency_.find(block)].tenant;
  buffer->is_store = false;
  residency_.erase(block);
  residency_.shares().lease(buffer->tenant, record::record_bytes(buffer->meta.payload_bytes));
  buffer->resident = false;
  private_bytes_ += buffer->slot.bytes;
  residency_.hold_segment(buffer->slot.segment);
  if (buffer->refs == 0) free(buffer);
}

// A segment a call: the store's mutex is held.
bool L1::disown(memory::SlotOwner owner, memory::SlotOwner to) {
  const auto& slots = arena_->slots();
  for (uint32_t segment = 0; segment < slots.segments(); ++segment) {
    if (slots.owner_of(segment) != owner) continue;
    arena_->disown(segment, to);
    residency_.move_to_bucket(segment, bucket_of(slots.slot_bytes_of(segment), to));
    return false;
  }
  return true;
}

void L1::evict_for_quota(BlockId block) {
  const TenantId tenant = residency_[residency_.find(block)].tenant;
  const uint64_t before = evictions_;
  evict(block);
  residency_.shares().count_evicted(tenant, evictions_ - before);
}

// Members of a family leave together (E4); a leased one follows as soon as it may.
void L1::evict(BlockId block) {
  const auto known = blocks_.family(block);
  if (known.empty()) return evict_one(block);
  const std::vector<BlockId> members(known.begin(), known.end());
  for (const BlockId member : members) blocks_.add_ref(member);
  evict_one(block);
  for (const BlockId member : members) {
    const Buffer* buffer = find(member);
    if (buffer != nullptr && buffer->refs == 0 && !hooks_.owed(member)) evict_one(member);
  }
  for (const BlockId member : members) blocks_.release(member);
}

void L1::evict_one(BlockId block) {
  ++evictions_;
  blocks_.add_ref(block);  // so that it is still there to be told of
  drop(block);
  hooks_.left(block, MissReason::kEvicted);
  blocks_.release(block);
}

bool L1::evict_to(uint64_t bytes, size_t count) {
  while (used_bytes() > bytes) {
    if (count-- == 0) return false;
    const Leaf leaf = free_leaf([this] { return residency_.coldest_leaf(); });
    if (!leaf) return true;  // nothing may leave
    evict(*leaf);
  }
  return true;
}

bool L1::evict_above(size_t count) {
  return evict_above_quotas(
      residency_, count,
      [this](TenantId tenant) { return free_leaf([&] { return residency_.coldest_leaf_of(tenant); }); },
      [this](BlockId leaf) { evict_for_quota(leaf); });
}

void L1::drain() {
  for (uint32_t segment = 0; segment < arena_->slots().segments(); ++segment) {
    for (const BlockId block : residency_.blocks_in(segment)) {
      Buffer* buffer = find(block);
      if (buffer == nullptr) continue;  // it left with its family
      if (buffer->refs == 0)
        evict(block);
      else {
        TERRACE_PROBE("store.leased_when_the_mode_changed");
        buffer->temporary = true;
      }
    }
  }
}

void L1::free(Buffer* buffer) {
  if (buffer->caller || buffer->staged || buffer->private_header != nullptr) hooks_.freed(*buffer);
  if (buffer->caller) {
    --buffers_;
    blocks_.release(buffer->block);
    std::unique_ptr<Buffer> owned(buffer);
    return;
  }
  count_out(*buffer);
  residency_.drop_segment(buffer->slot.segment);
  residency_.drop_child(buffer->parent);
  private_bytes_ -= buffer->slot.bytes;
  --buffers_;
  // Under the mutex, but only for `erase`, which an operator asked for.
  if (buffer->erase) {
    TERRACE_PROBE("store.bytes_erased");
    std::ranges::fill(buffer->slot_bytes, std::byte{0});
  }
  arena_->free(buffer->slot, record::record_bytes(buffer->meta.payload_bytes));
  blocks_.release(buffer->block);
  std::unique_ptr<Buffer> owned(buffer);
}

}  // namespace terrace::store
