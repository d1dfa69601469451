// Brings tenants down to their quotas (D2), in L1 and in every tier alike.
#pragma once

#include <vector>

#include "store/residency.h"

namespace terrace::store {

// Evicts leaves of the tenants above their quota, `count` at most: `next` is the coldest of a tenant's that
// may leave, `evict` lets it. False when there is more to evict.
template <class Next, class Evict>
bool evict_above_quotas(Residency& residency, size_t count, const Next& next, const Evict& evict) {
  const TenantShares& shares = residency.shares();
  const std::vector<TenantId> tenants(shares.above().begin(), shares.above().end());
  for (const TenantId tenant : tenants) {
    while (shares[tenant].above() > 0) {
      const std::optional<BlockId> leaf = next(tenant);
      if (!leaf) break;
      if (count-- == 0) {
        residency.reconsider(*leaf);
        return false;
      }
      evict(*leaf);
    }
  }
  return true;
}

}  // namespace terrace::store
