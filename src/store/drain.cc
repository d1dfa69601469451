// Taking a tier out of use while the store runs, and back (T1's drain): for a device that is to be looked at,
// a network that is known to go away.
#include "base/hooks.h"
#include "store/flow_state.h"
#include "store/storage_manager.h"

namespace terrace::store {

uint32_t StorageManager::tier_number(std::string_view name) const {
  Lock lock(mutex_);
  for (uint32_t tier = 1; tier < tiers_end(); ++tier) {
    if (tier_state(tier).name == name) return tier;
  }
  return 0;
}

uint64_t StorageManager::running_on(uint32_t tier) const {
  uint64_t running = 0;
  for (const auto& [where, flow] : writes_) running += where.second == tier ? 1 : 0;
  for (const auto& [block, load] : loads_) running += load->tier == tier ? 1 : 0;
  return running;
}

Result<uint64_t> StorageManager::drain_tier(std::string_view name, Timeout timeout) {
  const auto deadline = deadline_of(timeout);
  const uint32_t tier = tier_number(name);
  if (tier == 0) return fail(Code::kNotFound, "no tier of this name");
  drained_.fetch_or(tier_bit(tier));
  state_changed(tier);
  TERRACE_CRASH_POINT("store.drain_begun");
  for (;;) {
    uint64_t mark = 0, running = 0;
    {
      Lock lock(mutex_);
      mark = progress_;
      running = running_on(tier);
    }
    if (running == 0 || !wait_progress(mark, deadline)) return running;
  }
}

Result<void> StorageManager::resume_tier(std::string_view name) {
  const uint32_t tier = tier_number(name);
  if (tier == 0) return fail(Code::kNotFound, "no tier of this name");
  TERRACE_CRASH_POINT("store.resume_begun");
  drained_.fetch_and(static_cast<TierMask>(~tier_bit(tier)));
  state_changed(tier);
  return {};
}

}  // namespace terrace::store
