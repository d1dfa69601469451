// What tiers tell by themselves: blocks that recovery found, blocks that are gone, their state.
#include <new>

#include "base/hooks.h"
#include "base/log.h"
#include "store/flow_state.h"
#include "store/storage_manager.h"

namespace terrace::store {

std::vector<uint32_t> StorageManager::found(uint32_t tier, std::span<const tier::FoundBlock> blocks) {
  std::vector<uint32_t> unwanted;
  unwanted.reserve(blocks.size());
  Lock lock(mutex_);
  for (uint32_t i = 0; i < blocks.size(); ++i) {
    BlockId block = kNoBlock;
    bool wanted = false;
    try {
      block = blocks_.acquire(blocks[i].meta.key);
      wanted = is_taken(tier, block, blocks[i]);
    } catch (const std::bad_alloc&) {  // one block less, in a store that goes on (P7)
    }
    if (!wanted) unwanted.push_back(i);
    blocks_.release(block);
  }
  return unwanted;
}

bool StorageManager::is_taken(uint32_t tier, BlockId block, const tier::FoundBlock& found) {
  if (tier_state(tier).residency->find(block) != kNoResidence || closed_.load()) return false;
  // A block that is being written anew counts as written now: nobody has verified what was found.
  WriteFlow* const anew = writing(block, tier);
  if (anew == nullptr) {
    take_found(tier, block, found);
    return true;
  }
  if (anew->removed || anew->before) return false;
  // In a tier that names records by key the one takes the other's place.
  if (anew->where.place != found.where.place) {
    TERRACE_PROBE("store.found_while_it_was_written_anew");
    anew->before = found;
  }
  return true;
}

void StorageManager::take_found(uint32_t tier, BlockId block, const tier::FoundBlock& found) {
  blocks_.set_parent(block, found.meta.parent);
  belongs_to(block, found.meta.root);
  join_family(block, found.meta.family, found.meta.member);
  tier_state(tier).residency->insert(block, found.meta.payload_bytes, found.where.place, found.where.bucket,
                                     found.where.segment, found.rank);
}

void StorageManager::recovered(uint32_t tier, Result<void> result) {
  if (!result) base::log::warn("tier {}: recovery ended early: {}", tier, to_string(result.error()));
  {
    Lock lock(mutex_);
    TERRACE_CRASH_POINT("store.recovered");
    tier_state(tier).recovered = true;
    progress_made();
    check_watermarks();
  }
  state_changed(tier);
}

void StorageManager::gone(uint32_t tier, const Key& key, tier::Place place) {
  Lock lock(mutex_);
  Residency& residency = *tier_state(tier).residency;
  const BlockId block = blocks_.find(key);
  if (block == kNoBlock) return;
  WriteFlow* const anew = writing(block, tier);
  if (anew != nullptr && anew->before && anew->before->where.place == place) anew->before.reset();
  const ResidenceId id = residency.find(block);
  if (id == kNoResidence || residency[id].place != place) return;
  blocks_.add_ref(block);
  residency.erase(block);
  left(block, MissReason::kDeviceError);
  blocks_.release(block);
}

void StorageManager::state_changed(uint32_t tier) {
  const auto state = tier_pointers()[tier - 1]->status().state;
  const TierCondition condition = condition_of(tier, state);
  const bool whole = condition == TierCondition::kReady || condition == TierCondition::kRecovering;
  const bool some = condition == TierCondition::kDegraded;
  const TierMask bit = tier_bit(tier);
  if (whole)
    visible_.fetch_or(bit);
  else
    visible_.fetch_and(static_cast<TierMask>(~bit));
  if (some)
    partial_.fetch_or(bit);
  else
    partial_.fetch_and(static_cast<TierMask>(~bit));
  Lock lock(mutex_);
  changes_.tier_is(tier, condition);
}

}  // namespace terrace::store
