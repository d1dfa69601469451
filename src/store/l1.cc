#include "store/l1.h"

#include <algorithm>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/hooks.h"

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

Buffer* L1::allocate(const record::BlockMeta& meta, memory::SlotOwner owner) {
  const uint64_t bytes = record::record_bytes(meta.payload_bytes);
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
      buffer->parent = blocks_[buffer->block].parent;
      buffer->removals = blocks_[buffer->block].removals;
      residency_.add_child(buffer->parent);
      residency_.hold_segment(buffer->slot.segment);
      ++buffers_;
      private_bytes_ += buffer->slot.bytes;
      return buffer.release();  // owned by its references; free() takes it back
    }
    if (got.error().code != Code::kNoRoom) return nullptr;
    if (const auto leaf = coldest_free_leaf(bucket_of(arena_->slots().class_for(bytes, owner), owner))) {
      evict(*leaf);
      continue;
    }
    if (took_segment) return nullptr;
    took_segment = true;
    const auto segment = residency_.coldest_segment();
    if (segment.empty() || std::ranges::count_if(segment, hooks_.owed) > 0) return nullptr;
    TERRACE_PROBE("store.segment_of_l1_emptied");
    ++evicted_segments_;
    for (const BlockId block : segment) {
      if (find(block) != nullptr) evict(block);  // it may have left with its family
    }
  }
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

// The coldest leaf that owes nothing to a tier; what owes is on its way there and a candidate again later.
std::optional<BlockId> L1::coldest_free_leaf(std::optional<uint64_t> bucket) {
  std::vector<BlockId> owing;
  std::optional<BlockId> leaf;
  for (;;) {
    leaf = bucket ? residency_.coldest_leaf(*bucket) : residency_.coldest_leaf();
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
  residency_.pin(id);
  residency_.drop_segment(buffer->slot.segment);
  residency_.drop_child(buffer->parent);
  buffer->parent = kNoBlock;
  private_bytes_ -= buffer->slot.bytes;
  buffer->resident = true;
}

Buffer* L1::find(BlockId block) const {
  const ResidenceId id = residency_.find(block);
  return id == kNoResidence ? nullptr : reinterpret_cast<Buffer*>(residency_[id].place);
}

void L1::drop(BlockId block) {
  Buffer* buffer = find(block);
  if (buffer == nullptr) return;
  residency_.erase(block);
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
    const auto leaf = coldest_free_leaf(std::nullopt);
    if (!leaf) return true;  // nothing may leave
    evict(*leaf);
  }
  return true;
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
