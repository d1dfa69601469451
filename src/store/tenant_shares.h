// What each tenant has of one tier (L1 included) and how much it may have (D2). Bytes are those of records:
// header, payload and what fills the last page, so that a block counts the same everywhere. Guarded by the
// store's mutex.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "store/types.h"

namespace terrace::store {

inline constexpr uint64_t kNoQuota = UINT64_MAX;

class TenantShares {
 public:
  struct Limits {
    uint64_t used = kNoQuota;
    uint64_t held = kNoQuota;
    uint64_t leased = kNoQuota;
  };
  struct Share {
    uint64_t bytes = 0, blocks = 0;  // what the tier holds
    uint64_t held = 0;               // of what will be there: reservations, writes under way
    uint64_t leased = 0;             // of L1, counted in nothing else: loading, or only leased any more
    Limits limits;
    uint64_t evictions = 0;  // blocks that left because the tenant was above its quota
    uint64_t refusals = 0;   // stores and loads it had no quota for
    bool listed = false;     // among those above
    uint64_t used() const { return bytes + held; }
    uint64_t above() const { return used() > limits.used ? used() - limits.used : 0; }
  };

  const Share& operator[](TenantId tenant) const { return tenant < shares_.size() ? shares_[tenant] : none_; }
  // The tenants above their quota, in no order.
  std::span<const TenantId> above() const { return above_; }
  // Whether `bytes` more would take it above.
  bool exceeds(TenantId tenant, uint64_t bytes) const {
    const Share& share = (*this)[tenant];
    return share.limits.used != kNoQuota && share.used() + bytes > share.limits.used;
  }

  // From then on nothing that is counted for the tenant takes memory. Before all of the following.
  void make_room(TenantId tenant);
  void set_limits(TenantId tenant, const Limits& limits);
  void add_block(TenantId tenant, uint64_t bytes);
  void drop_block(TenantId tenant, uint64_t bytes);
  void hold(TenantId tenant, uint64_t bytes);
  void let_go(TenantId tenant, uint64_t bytes);
  void lease(TenantId tenant, uint64_t bytes) { shares_[tenant].leased += bytes; }
  void give_back(TenantId tenant, uint64_t bytes);
  void count_evicted(TenantId tenant, uint64_t blocks) { shares_[tenant].evictions += blocks; }
  void count_refusal(TenantId tenant) { ++shares_[tenant].refusals; }

 private:
  void settle(TenantId tenant);

  std::vector<Share> shares_;    // by tenant
  std::vector<TenantId> above_;  // few: who stores is brought to its quota first
  const Share none_{};
};

}  // namespace terrace::store
