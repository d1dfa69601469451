// A store of several tenants on virtual time.
#pragma once

#include <map>
#include <string>

#include "base/random.h"
#include "store/testing/store_fixture.h"

namespace terrace::store::testing {

class TenantTest : public StoreTest {
 protected:
  static constexpr uint64_t kRecord = record::record_bytes(kBlock);

  static Namespace fields_of(const std::string& salt, bool hashed = false) {
    Namespace fields;
    fields.model_id = "m";
    if (!salt.empty()) fields.tenant_salt = hashed ? tenant_name(salt) : salt;
    return fields;
  }
  static std::string name_of(const std::string& salt) { return salt.empty() ? "" : tenant_name(salt); }
  static Key root_of(const std::string& salt) { return *namespace_root(fields_of(salt)); }
  // What is stored next is of the tenant with this salt.
  void as(const std::string& salt) { root_ = *store_->open_namespace(fields_of(salt)); }
  uint64_t quota(const std::string& salt, const TenantQuota& quota) {
    const auto above = store_->set_quota(name_of(salt), quota);
    EXPECT_TRUE(above);
    return above.value_or(UINT64_MAX);
  }
  TenantUsage usage(const std::string& salt) {
    for (TenantUsage& tenant : store_->tenants()) {
      if (tenant.tenant == name_of(salt)) return tenant;
    }
    ADD_FAILURE() << "no tenant " << salt;
    return {};
  }
  // So that options may speak of the tiers to come.
  void name_tiers(size_t tiers) {
    for (size_t i = 0; i < tiers; ++i) {
      TierOptions options;
      options.kind = TierOptions::Kind::kMock;
      options.name = "tier" + std::to_string(i + 1);
      options_.tiers.push_back(options);
    }
  }
  // A store over fresh tiers, the one before closed and gone.
  void reopen(size_t tiers) {
    if (store_ != nullptr) StoreTest::TearDown();
    open(tiers);
  }
  static Key member(const Key& family, uint32_t shard) { return member_key(family, {0, shard, 2}); }
  void store_member(const Key& family, uint32_t shard) {
    const std::vector<BlockSpec> specs{{member(family, shard), kBlock, family, {0, shard, 2}}};
    auto answers = store_->reserve({root_, {}, specs});
    ASSERT_TRUE((*answers)[0].reservation);
    fill((*answers)[0].reservation);
    ASSERT_TRUE(store_->commit(std::span(&(*answers)[0].reservation, 1)));
    settle();
  }
  // What is counted is what a walk over all blocks finds.
  void expect_recount() {
    std::map<std::string, std::string> tenant_of;  // by root
    for (const StoredNamespace& known : store_->namespaces()) {
      tenant_of[to_hex(known.root)] = known.fields.tenant_salt.value_or("");
    }
    std::map<std::string, std::vector<TenantShare>> expected;
    for (const StoredBlock& block : store_->list(std::nullopt, std::nullopt, SIZE_MAX)) {
      auto& shares = expected[tenant_of[to_hex(block.root)]];
      shares.resize(tiers_.size() + 1);
      for (size_t tier = 0; tier < shares.size(); ++tier) {
        if ((block.where & (1u << tier)) == 0) continue;
        ++shares[tier].blocks;
        shares[tier].bytes += record::record_bytes(block.bytes);
      }
    }
    for (const TenantUsage& counted : store_->tenants()) {
      auto& shares = expected[counted.tenant];
      shares.resize(tiers_.size() + 1);
      for (size_t tier = 0; tier < shares.size(); ++tier) {
        EXPECT_EQ(counted.tiers[tier].blocks, shares[tier].blocks) << counted.tenant << " in " << tier;
        EXPECT_EQ(counted.tiers[tier].bytes, shares[tier].bytes) << counted.tenant << " in " << tier;
      }
      expected.erase(counted.tenant);
    }
    EXPECT_TRUE(expected.empty());
  }
};

}  // namespace terrace::store::testing
