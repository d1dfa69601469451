#include "store/tenant_shares.h"

#include "base/assert.h"

namespace terrace::store {

void TenantShares::make_room(TenantId tenant) {
  if (tenant < shares_.size()) return;
  above_.reserve(2 * (tenant + size_t{1}));
  shares_.resize(tenant + size_t{1});
}

// Keeps the list of those above their quota; it has room for all of them.
void TenantShares::settle(TenantId tenant) {
  Share& share = shares_[tenant];
  if (share.listed == (share.above() > 0)) return;
  share.listed = !share.listed;
  if (share.listed) {
    above_.push_back(tenant);
  } else {
    std::erase(above_, tenant);
  }
}

void TenantShares::set_limits(TenantId tenant, const Limits& limits) {
  shares_[tenant].limits = limits;
  settle(tenant);
}

void TenantShares::add_block(TenantId tenant, uint64_t bytes) {
  Share& share = shares_[tenant];
  share.bytes += bytes;
  ++share.blocks;
  settle(tenant);
}

void TenantShares::drop_block(TenantId tenant, uint64_t bytes) {
  Share& share = shares_[tenant];
  TERRACE_ASSERT(share.blocks > 0 && share.bytes >= bytes);
  share.bytes -= bytes;
  --share.blocks;
  settle(tenant);
}

void TenantShares::hold(TenantId tenant, uint64_t bytes) {
  shares_[tenant].held += bytes;
  settle(tenant);
}

void TenantShares::let_go(TenantId tenant, uint64_t bytes) {
  TERRACE_ASSERT(shares_[tenant].held >= bytes);
  shares_[tenant].held -= bytes;
  settle(tenant);
}

void TenantShares::give_back(TenantId tenant, uint64_t bytes) {
  TERRACE_ASSERT(shares_[tenant].leased >= bytes);
  shares_[tenant].leased -= bytes;
}

}  // namespace terrace::store
