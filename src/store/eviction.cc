// What leaves, and when (E1 to E3): demand eviction makes the room a request needs, a background pass keeps
// usage between the watermarks.
#include "base/hooks.h"
#include "store/flow_state.h"
#include "store/storage_manager.h"

namespace terrace::store {

// The block left a tier. If nothing holds it any more, its story goes to the history.
void StorageManager::left(BlockId block, MissReason reason) {
  const Block& entry = blocks_[block];
  if ((entry.mask & ~kInFlightBit) != 0) return;
  history_.note(entry.key, entry.fate == MissReason::kNone ? reason : entry.fate);
}

uint64_t StorageManager::evict_from_tier(uint32_t tier, std::span<const BlockId> blocks) {
  TierState& state = tier_state(tier);
  std::vector<BlockId> leaving(blocks.begin(), blocks.end());
  for (const BlockId block : blocks) {  // members of a family leave together (E4)
    for (const BlockId member : blocks_.family(block)) {
      const ResidenceId id = state.residency->find(member);
      if (id != kNoResidence && (*state.residency)[id].pins == 0) leaving.push_back(member);
    }
  }
  std::vector<tier::RemoveOp> operations;
  operations.reserve(leaving.size());
  for (const BlockId block : leaving) {
    const ResidenceId id = state.residency->find(block);
    if (id == kNoResidence) continue;  // named twice
    const Residence& residence = (*state.residency)[id];
    operations.push_back({blocks_[block].key, residence.place, residence.payload_bytes});
    blocks_.add_ref(block);
    state.residency->erase(block);
    left(block, MissReason::kEvicted);
    blocks_.release(block);
  }
  state.counts.evictions += operations.size();
  TERRACE_CRASH_POINT("store.evict_begun");
  // Memory only, by the contract: the places are free when it returns.
  state.tier->remove(operations, tier::RemoveKind::kEvict, [](Result<void>) {});
  return operations.size();
}

// E3: the block must be in every tier that is written when L1 lets go. True when it is on its way to one; it
// goes behind its ancestors, which those tiers may lack too. A tier that cannot take it has to do without.
bool StorageManager::write_down(BlockId block) {
  bool owed = false;
  for (uint32_t tier = 1; tier < tiers_end(); ++tier) {
    TierState& state = tier_state(tier);
    if (!state.store_policy->writes(policy::StoreMoment::kLeaving, blocks_[block].key)) continue;
    // Tried, and not again at once: a device may fail as fast as it is asked.
    if (blocks_[block].fate == MissReason::kWriteFailed && writing(block, tier) == nullptr) continue;
    const auto there = [&](BlockId id) TERRACE_THREAD(no_thread_safety_analysis) {
      return state.residency->find(id) != kNoResidence || writing(id, tier) != nullptr;
    };
    std::vector<Buffer*> chain;  // from the block up to what the tier has
    for (BlockId id = block; id != kNoBlock && !there(id); id = blocks_[id].parent) {
      Buffer* buffer = l1_->find(id);
      if (buffer == nullptr) break;
      chain.push_back(buffer);
    }
    DropCause cause = DropCause::kNone;
    bool fits = true;  // what is larger than the bytes in flight will not be written later either
    for (size_t i = chain.size(); i-- > 0 && cause == DropCause::kNone;) {
      cause = queue_write(tier, chain[i], nullptr);
      fits = record::record_bytes(chain[i]->meta.payload_bytes) <= store_credit_max_;
    }
    const bool later = writing(block, tier) != nullptr || (cause == DropCause::kBacklog && fits);
    if (!later && cause != DropCause::kNone) {
      TERRACE_PROBE("store.owed_block_dropped");
      blocks_[block].fate = MissReason::kDropped;
    }
    owed = owed || later;
  }
  return owed;
}

void StorageManager::check_watermarks() {
  if (evict_posted_) return;
  // What is owed to a tier is written down before there is need (E3).
  const double l1_mark = owes_ ? options_.l1.low_watermark : options_.l1.high_watermark;
  bool above = any_above();
  above = above || (l1_->residency().evicts() &&
                    static_cast<double>(l1_->used_bytes()) > l1_mark * static_cast<double>(l1_->budget()));
  for (const TierState& state : tiers_) {
    const uint64_t used = state.residency->payload_bytes() + state.residency->blocks() * record::kHeaderBytes;
    above = above ||
            (!state.shared && state.residency->evicts() && state.capacity > 0 &&
             static_cast<double>(used) > state.options.high_watermark * static_cast<double>(state.capacity));
  }
  if (above) post_evict();
}

void StorageManager::post_evict() {
  evict_posted_ = true;
  executor_.post([self = shared_from_this()] { self->background_evict(); });
}

uint64_t StorageManager::evictions() const {
  uint64_t blocks = l1_->evictions();
  for (const TierState& state : tiers_) blocks += state.counts.evictions;
  return blocks;
}

void StorageManager::background_evict() {
  Lock lock(mutex_);
  const uint64_t before = evictions();
  const auto share = [](double part, uint64_t of) {
    return static_cast<uint64_t>(part * static_cast<double>(of));
  };
  bool done = evict_above(kEvictionSlice);  // those first
  done = l1_->evict_to(share(options_.l1.low_watermark, l1_->budget()), kEvictionSlice) && done;
  for (uint32_t tier = 1; tier < tiers_end(); ++tier) {
    TierState& state = tier_state(tier);
    // What of a shared tier leaves is for those who share it; this process makes room only for its own.
    if (state.capacity == 0 || state.shared || !state.residency->evicts()) continue;
    size_t slice = kEvictionSlice;  // what is left of it
    const uint64_t goal = share(state.options.low_watermark, state.capacity);
    while (state.residency->payload_bytes() + state.residency->blocks() * record::kHeaderBytes > goal) {
      if (slice == 0) done = false;
      const auto leaf = slice == 0 ? std::nullopt : state.residency->coldest_leaf();
      if (!leaf) break;
      --slice;
      evict_from_tier(tier, std::span(&*leaf, 1));
    }
  }
  // Else who waits for room would ask again, and be answered by another such pass, until its deadline.
  if (evictions() != before) progress_made();
  evict_posted_ = false;
  if (!done) {
    TERRACE_PROBE("store.background_eviction_goes_on");
    post_evict();
  }
}

}  // namespace terrace::store
