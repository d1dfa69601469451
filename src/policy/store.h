// Store policies (S5): when a block goes from L1 to a tier, and whether L1 keeps it after that. Each tier has
// its own. A policy is a pure function of what it was told: no IO, no clock, no locks.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include <terrace/error.h>
#include <terrace/key.h>

namespace terrace::policy {

// What happens to a block in L1 that the tier does not hold.
enum class StoreMoment : uint8_t {
  kCommitted,  // just published
  kSeenAgain,  // reserved or hit again after that
  kLeaving,    // L1 needs its room
};

class StorePolicy {
 public:
  virtual ~StorePolicy() = default;
  virtual std::string_view name() const = 0;
  // Whether the block is written now. Called under the store's mutex.
  virtual bool writes(StoreMoment moment, const Key& key) = 0;
  // True: L1 lets the block go when its writes have ended.
  virtual bool leaves_l1() const { return false; }
  // True: the block is owed to the tier until it left L1, so L1 must not drop it unwritten (E3).
  virtual bool owes() const { return false; }
};

// "write_through", "skip_l1", "on_evict", "second_touch", "none". Adding one is one file and one line of the
// registry (store_registry.cc).
Outcome<std::unique_ptr<StorePolicy>> make_store_policy(std::string_view name);
// Whether a block ever reaches the tier when L1 does not keep it (M5).
inline bool stores_without_l1(StorePolicy& policy) {
  return policy.writes(StoreMoment::kCommitted, {}) || policy.writes(StoreMoment::kSeenAgain, {});
}
std::vector<std::string_view> store_policy_names();

}  // namespace terrace::policy
