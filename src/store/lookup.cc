// Lookups (Q1 to Q6): from memory, no IO, and without the store's mutex unless a pin is asked for.
#include "base/hooks.h"
#include "store/flow_state.h"
#include "store/storage_manager.h"

namespace terrace::store {

// Where a key can be read from now, nearest tier first, or why not.
StorageManager::Found StorageManager::locate(const Key& key, BlockId& block, bool reading,
                                             const Scope* scope) const {
  block = blocks_.find(key);
  // The history knows no namespaces: who is bound to some hears nothing of it.
  const auto story = [&] { return scope == nullptr ? history_.reason(key) : MissReason::kUnknown; };
  if (block == kNoBlock) return {nullptr, 0, story()};
  if (!may_see(scope, block)) return {nullptr, 0, MissReason::kUnknown};
  // Entering staging leaves in L1 what is leased: for its readers, not for lookups (M2, Q2).
  Buffer* const buffer = reading || mode_ == L1Mode::kCache ? l1_->find(block) : nullptr;
  if (buffer != nullptr) return {buffer, 0, MissReason::kNone};
  bool unavailable = false;
  for (uint32_t tier = 1; tier < tiers_end(); ++tier) {
    const TierState& state = tier_state(tier);
    const ResidenceId id = state.residency->find(block);
    if (id == kNoResidence) continue;
    if (answers(tier, id, reading)) return {nullptr, tier, MissReason::kNone};
    unavailable = true;
  }
  if (unavailable) {
    TERRACE_PROBE("store.every_copy_unavailable");
    return {nullptr, 0, MissReason::kTierUnavailable};
  }
  if (blocks_[block].in_flight > 0 || l1_->find(block) != nullptr) return {nullptr, 0, MissReason::kInFlight};
  return {nullptr, 0, story()};
}

bool StorageManager::may_see(const Scope* scope, BlockId block) const {
  if (scope == nullptr) return true;
  const uint32_t name_space = blocks_[block].name_space;
  return name_space == kNoNamespace || scope->covers(namespaces_[name_space].root);
}

bool StorageManager::answers(uint32_t tier, ResidenceId id, bool reading) const {
  const TierState& state = tier_state(tier);
  const Residence& residence = (*state.residency)[id];
  // A pin outlives the drain (Q2).
  if (is_drained(tier) && !(reading && residence.pins > 0)) return false;
  return state.tier->available(residence.place);
}

Result<LookupResult> StorageManager::lookup(std::span<const Key> keys, bool pin, const ScopePtr& scope) {
  if (auto ok = check_batch(keys.size()); !ok) return std::unexpected(ok.error());
  LookupResult result;
  if (!pin && partial_.load() == 0 && scope == nullptr) {
    result.found = index_.prefix(keys, visible_.load(), result.where);
    if (result.found == keys.size()) return result;
    TERRACE_SYNC_POINT("store.prefix_found");
    // Why not: one key's story, so the mutex is held for one key.
    Lock lock(mutex_);
    BlockId block = kNoBlock;
    const Found found = locate(keys[result.found], block, false, nullptr);
    result.reasons.assign(keys.size() - result.found, MissReason::kBehindHole);
    // It may have arrived since; a reason is owed all the same.
    result.reasons[0] = found.reason == MissReason::kNone ? MissReason::kInFlight : found.reason;
    return result;
  }
  std::shared_ptr<PinnedBlocks> pinned;
  if (pin) pinned = std::make_shared<PinnedBlocks>(shared_from_this());
  Lock lock(mutex_);
  MissReason reason = MissReason::kNone;
  for (const Key& key : keys) {
    BlockId block = kNoBlock;
    const Found found = locate(key, block, false, scope.get());
    reason = found.reason;
    if (reason != MissReason::kNone) break;
    const auto hidden = static_cast<TierMask>(kInFlightBit | (mode_ == L1Mode::kCache ? 0 : tier_bit(kL1)));
    result.where.push_back(static_cast<TierMask>(blocks_[block].mask & ~hidden));
    ++result.found;
    if (!pin) continue;
    if (found.buffer != nullptr) {
      l1_->ref(found.buffer);
      pinned->buffers.push_back(found.buffer);
    } else {
      Residency& residency = *tier_state(found.tier).residency;
      const ResidenceId id = residency.find(block);
      residency.pin(id);
      pinned->held.push_back({found.tier, id, residency[id].generation});
    }
  }
  if (result.found > 0) result.pin = surface::Access::pin(std::move(pinned));
  if (result.found < keys.size()) {
    result.reasons.assign(keys.size() - result.found, MissReason::kBehindHole);
    result.reasons[0] = reason;
  }
  return result;
}

void StorageManager::unpin(std::span<const PinnedHold> held, std::span<Buffer* const> buffers) {
  if (TERRACE_MUTANT("store.leak_pin")) return;
  Lock lock(mutex_);
  for (const PinnedHold& pin : held) {
    Residency& residency = *tier_state(pin.tier).residency;
    if (residency.holds(pin.id, pin.generation)) residency.unpin(pin.id);
  }
  for (Buffer* buffer : buffers) l1_->unref(buffer);
  progress_made();
}

}  // namespace terrace::store
