// Tenants (D2): whose block is whose, what each may use, and what leaves when it has more than that.
#include <algorithm>

#include "store/evict_above.h"
#include "store/flow_state.h"
#include "store/storage_manager.h"

namespace terrace::store {

namespace {

TenantShare telling(const TenantShares::Share& share) {
  return {share.bytes, share.blocks, share.above(), share.evictions, share.refusals};
}

}  // namespace

Residency& StorageManager::residency_of(uint32_t tier) {
  return tier == kL1 ? l1_->residency() : *tier_state(tier).residency;
}

const Residency& StorageManager::residency_of(uint32_t tier) const {
  return tier == kL1 ? std::as_const(*l1_).residency() : *tier_state(tier).residency;
}

void StorageManager::belongs_to(BlockId block, const Key& root) {
  Block& entry = blocks_[block];
  entry.name_space = namespaces_.number(root);
  const TenantId tenant = namespaces_.tenant(entry.name_space);
  if (entry.tenant == tenant) return;
  for (uint32_t tier = 0; tier < tiers_end(); ++tier) residency_of(tier).shares().make_room(tenant);
  entry.tenant = tenant;
  for (uint32_t tier = 0; tier < tiers_end(); ++tier) residency_of(tier).recount(block);
}

void StorageManager::describe(const tier::KnownNamespace& known) {
  const uint32_t number = namespaces_.number(known.root);
  const TenantId before = namespaces_.tenant(number);
  namespaces_.describe(known);
  if (namespaces_.tenant(number) == before) return;
  // Once in a namespace's life, when its blocks were seen before its fields: a tier that kept only its root.
  for (BlockId block = 0; block < blocks_.capacity(); ++block) {
    if (blocks_[block].refs > 0 && blocks_[block].name_space == number) belongs_to(block, known.root);
  }
}

Result<void> StorageManager::check_quota(const std::string& tenant, const TenantQuota& quota) const {
  if (closed_.load()) return fail(Code::kClosed, "the store is closed");
  if (!is_tenant_name(tenant)) {
    return fail(Code::kInvalidArgument, "a tenant is named by the SHA-256 of its salt, or is empty");
  }
  for (const auto& [name, bytes] : quota.tiers) {
    if (tier_number(name) == 0) return fail(Code::kNotFound, "no tier of this name");
  }
  return {};
}

void StorageManager::apply_quota(TenantId tenant) {
  const TenantQuota& quota = tenants_.quota(tenant);
  TenantShares::Limits l1;
  l1.used = quota.l1.value_or(kNoQuota);
  l1.held = quota.reserved.value_or(kNoQuota);
  l1.leased = quota.leased.value_or(kNoQuota);
  l1_->residency().shares().make_room(tenant);
  l1_->residency().shares().set_limits(tenant, l1);
  for (TierState& state : tiers_) {
    const auto named = quota.tiers.find(state.name);
    state.residency->shares().make_room(tenant);
    state.residency->shares().set_limits(tenant,
                                         {.used = named == quota.tiers.end() ? kNoQuota : named->second});
  }
}

// Leaves go here, a few at a time, so that engines get the mutex in between; what a lease or a write holds
// goes in the background when it may.
Result<uint64_t> StorageManager::set_quota(const std::string& name, const TenantQuota& quota) {
  if (auto ok = check_quota(name, quota); !ok) return std::unexpected(ok.error());
  TenantId tenant = kNoTenant;
  for (bool first = true;; first = false) {
    Lock lock(mutex_);
    if (first) {
      tenant = tenants_.number(name);
      tenants_.quota(tenant) = quota;
      apply_quota(tenant);
    }
    const bool done = evict_above(kEvictionSlice);
    progress_made();
    if (done) return bytes_above(tenant);
  }
}

std::vector<TenantUsage> StorageManager::tenants() const {
  std::vector<TenantUsage> result;
  {
    Lock lock(mutex_);
    for (TenantId tenant = kNoTenant + 1; tenant < tenants_.end(); ++tenant) {
      TenantUsage usage{tenants_.name(tenant), {}, 0, 0, tenants_.quota(tenant)};
      for (uint32_t tier = 0; tier < tiers_end(); ++tier) {
        usage.tiers.push_back(telling(residency_of(tier).shares()[tenant]));
      }
      usage.reserved_bytes = residency_of(kL1).shares()[tenant].held;
      usage.leased_bytes = residency_of(kL1).shares()[tenant].leased;
      result.push_back(std::move(usage));
    }
  }
  std::ranges::sort(result, {}, &TenantUsage::tenant);
  return result;
}

uint64_t StorageManager::bytes_above(TenantId tenant) const {
  uint64_t bytes = 0;
  for (uint32_t tier = 0; tier < tiers_end(); ++tier) bytes += residency_of(tier).shares()[tenant].above();
  return bytes;
}

bool StorageManager::any_above() const {
  for (uint32_t tier = 0; tier < tiers_end(); ++tier) {
    if (!residency_of(tier).shares().above().empty()) return true;
  }
  return false;
}

bool StorageManager::evict_above(size_t count) {
  bool done = l1_->evict_above(count);
  for (uint32_t tier = 1; tier < tiers_end(); ++tier) done = evict_above(tier, count) && done;
  return done;
}

bool StorageManager::evict_above(uint32_t tier, size_t count) {
  Residency& residency = residency_of(tier);
  return evict_above_quotas(
      residency, count, [&](TenantId tenant) { return residency.coldest_leaf_of(tenant); },
      [&](BlockId leaf) TERRACE_THREAD(no_thread_safety_analysis) { evict_for_quota(tier, leaf); });
}

bool StorageManager::evict_own(uint32_t tier, TenantId tenant, uint64_t bucket) {
  Residency& residency = residency_of(tier);
  auto leaf = residency.coldest_leaf_of(tenant, bucket);
  if (!leaf) leaf = residency.coldest_leaf_of(tenant);
  if (leaf) evict_for_quota(tier, *leaf);
  return leaf.has_value();
}

void StorageManager::evict_for_quota(uint32_t tier, BlockId block) {
  const TenantId tenant = blocks_[block].tenant;
  const uint64_t evicted = evict_from_tier(tier, std::span(&block, 1));
  residency_of(tier).shares().count_evicted(tenant, evicted);
}

void StorageManager::check_quotas() {
  if (!evict_posted_ && any_above()) post_evict();
}

}  // namespace terrace::store
