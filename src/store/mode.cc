// Switching between cache and staging at run time (M4).
#include "base/hooks.h"
#include "store/flow_state.h"
#include "store/storage_manager.h"

namespace terrace::store {

Result<uint64_t> StorageManager::set_l1_mode(L1Mode mode) {
  if (closed_.load()) return fail(Code::kClosed, "the store is closed");
  if (mode == L1Mode::kOff || mode_ == L1Mode::kOff) {
    return fail(Code::kInvalidArgument, "l1.mode off is chosen when the store is opened: it has no arena");
  }
  Lock lock(mutex_);
  for (const TierState& state : tiers_) {
    if (mode == L1Mode::kStaging && !policy::stores_without_l1(*state.store_policy)) {
      return fail(Code::kInvalidArgument, "staging does not go with a tier of store_policy on_evict or none");
    }
  }
  mode_ = mode;
  TERRACE_SYNC_POINT("store.mode_set");  // lookups read mode and visible tiers without the mutex
  if (mode == L1Mode::kCache) {
    visible_.fetch_or(tier_bit(kL1));
    return 0;
  }
  visible_.fetch_and(static_cast<TierMask>(~tier_bit(kL1)));
  l1_->drain();
  progress_made();
  return l1_->used_bytes();
}

}  // namespace terrace::store
