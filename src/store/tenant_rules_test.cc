// Tenants: usage is counted for each, and a quota is kept by its own blocks (D2).
#include <map>

#include "store/testing/tenant_fixture.h"

namespace terrace::store {
namespace {

using testing::ScriptedTier;
using testing::TenantTest;

class TenantRules : public TenantTest {
 protected:
  // A tenant that stores a hundred blocks, chain after chain.
  void flood() {
    as("flooder");
    for (int i = 0; i < 20; ++i) {
      store_chain(1000 + 5 * i, 5);
      settle();
    }
  }
};

TEST_F(TenantRules, D2_usage_is_counted_by_tenant_and_tier) {
  open();
  as("alice");
  store_chain(1, 3);
  as("");
  store_chain(11, 2);
  settle();
  EXPECT_EQ(usage("alice").tiers[0].blocks, 3u);
  EXPECT_EQ(usage("alice").tiers[0].bytes, 3 * kRecord);
  EXPECT_EQ(usage("alice").tiers[1].blocks, 3u);
  EXPECT_EQ(usage("").tiers[1].bytes, 2 * kRecord);
  auto reserved = reserve(21, 2);
  EXPECT_EQ(usage("").reserved_bytes, 2 * kRecord);
  reserved.clear();
  EXPECT_EQ(usage("").reserved_bytes, 0u);
  const auto leased = store_->get(keys(1, 2));
  ASSERT_TRUE(store_->remove(keys(1, 3)));
  EXPECT_EQ(usage("alice").tiers[0].blocks, 0u);
  EXPECT_EQ(usage("alice").tiers[1].bytes, 0u);
  EXPECT_EQ(usage("alice").leased_bytes, 2 * kRecord);
}

TEST_F(TenantRules, D2_a_namespace_described_late_takes_its_blocks_along) {
  open();
  root_ = root_of("alice");  // not opened: only the root is known
  store_chain(1, 3);
  settle();
  EXPECT_EQ(usage("").tiers[1].blocks, 3u);
  as("alice");
  EXPECT_EQ(usage("").tiers[1].blocks, 0u);
  EXPECT_EQ(usage("alice").tiers[0].bytes, 3 * kRecord);
  EXPECT_EQ(usage("alice").tiers[1].bytes, 3 * kRecord);
  expect_recount();
}

TEST_F(TenantRules, D2_a_tenant_that_floods_L1_pushes_out_its_own) {
  open(0);
  quota("flooder", {.l1 = kL1Blocks / 2 * kRecord});
  as("quiet");
  store_chain(1, kL1Blocks / 2);
  as("flooder");
  for (int i = 0; i < 100; ++i) EXPECT_EQ(store_chain(1000 + 10 * i, 10), 10u);
  settle();
  EXPECT_EQ(found(1, kL1Blocks / 2), kL1Blocks / 2);
  EXPECT_EQ(usage("flooder").tiers[0].blocks, kL1Blocks / 2);
  EXPECT_EQ(usage("flooder").tiers[0].evictions, 1000 - kL1Blocks / 2);
  EXPECT_EQ(usage("quiet").tiers[0].evictions, 0u);
  EXPECT_EQ(found(1990, 10), 10u) << "the coldest left";
  expect_recount();
}

TEST_F(TenantRules, D2_a_tenant_keeps_the_prefix_of_what_its_quota_cannot_hold) {
  open(0);
  quota("alice", {.l1 = 5 * kRecord});
  as("alice");
  const auto answers = reserve(1, 8);
  for (size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(answers[i].outcome, i < 5 ? ReserveOutcome::kBuffer : ReserveOutcome::kNoRoom) << i;
  }
  EXPECT_EQ(usage("alice").tiers[0].refusals, 1u);
  EXPECT_EQ(reason(6), MissReason::kNoRoom);
}

TEST_F(TenantRules, D2_no_parent_makes_the_room_of_its_child) {
  open(0);
  quota("alice", {.l1 = 5 * kRecord});
  as("alice");
  ASSERT_EQ(store_chain(1, 5), 5u);
  EXPECT_EQ(store_chain(6, 1, key(5)), 0u);
  EXPECT_EQ(found(1, 5), 5u);
  EXPECT_EQ(store_chain(11, 1), 1u) << "of another prompt";
  EXPECT_EQ(found(1, 5), 4u);
}

TEST_F(TenantRules, D2_a_quota_below_use_evicts_to_fit_and_blocks_stores) {
  open();
  as("alice");
  store_chain(1, 20);
  as("bob");
  store_chain(101, 20);
  settle();
  EXPECT_EQ(quota("alice", {.l1 = 8 * kRecord, .tiers = {{"tier1", 15 * kRecord}}}), 0u);
  EXPECT_EQ(usage("alice").tiers[0].blocks, 8u);
  EXPECT_EQ(usage("alice").tiers[1].blocks, 15u);
  EXPECT_EQ(found(1, 20), 15u) << "leaves first: the prefix stays";
  EXPECT_EQ(found(101, 20), 20u);
  EXPECT_EQ(tiers_[0]->records(), 35u);
  expect_recount();
}

TEST_F(TenantRules, D2_what_is_leased_stays_above_the_quota_until_it_is_released) {
  open(0);
  as("alice");
  store_chain(1, 6);
  auto leased = store_->get(keys(1, 6));
  EXPECT_EQ(quota("alice", {.l1 = 2 * kRecord}), 4 * kRecord);
  EXPECT_EQ(usage("alice").tiers[0].above, 4 * kRecord);
  EXPECT_EQ(store_chain(11, 1), 0u) << "blocked";
  leased->release();
  settle();
  EXPECT_EQ(usage("alice").tiers[0].above, 0u);
  EXPECT_EQ(usage("alice").tiers[0].blocks, 2u);
  EXPECT_EQ(found(1, 6), 2u);
}

TEST_F(TenantRules, D2_a_pin_keeps_its_blocks_above_a_tiers_quota) {
  open();
  as("alice");
  store_chain(1, 4);
  settle();
  evict_l1();
  auto pinned = store_->lookup(keys(1, 4), true);
  EXPECT_EQ(quota("alice", {.tiers = {{"tier1", kRecord}}}), 3 * kRecord);
  pinned->pin.release();
  settle();
  EXPECT_EQ(usage("alice").tiers[1].blocks, 1u);
}

TEST_F(TenantRules, D2_who_is_above_its_quota_leaves_a_full_L1_first) {
  open(0);
  as("old");
  store_chain(1, 40);
  as("alice");
  store_chain(201, kL1Blocks - 40);
  auto leased = store_->get(keys(201, kL1Blocks - 40));
  ASSERT_GT(quota("alice", {.l1 = 10 * kRecord}), 0u);
  leased->release();  // and before anything runs in the background
  as("new");
  EXPECT_EQ(store_chain(401, 5), 5u);
  EXPECT_EQ(found(1, 40), 40u);
  EXPECT_EQ(usage("alice").tiers[0].blocks, kL1Blocks - 45);
}

TEST_F(TenantRules, D2_a_quota_on_a_tier_is_kept_by_the_tenants_own_blocks) {
  open();
  quota("flooder", {.tiers = {{"tier1", 10 * kRecord}}});
  as("quiet");
  store_chain(1, 20);
  flood();
  EXPECT_EQ(usage("flooder").tiers[1].blocks, 10u);
  EXPECT_EQ(usage("flooder").tiers[1].evictions, 90u);
  EXPECT_EQ(usage("quiet").tiers[1].blocks, 20u);
  EXPECT_EQ(tiers_[0]->records(), 30u);
  expect_recount();
}

TEST_F(TenantRules, D2_a_full_tier_of_others_is_not_for_who_has_all_of_its_quota) {
  prepare_ = [this] { tiers_[0]->records_max = 30; };
  open();
  quota("flooder", {.tiers = {{"tier1", 10 * kRecord}}});
  as("quiet");
  store_chain(1, 20);
  flood();
  EXPECT_EQ(usage("quiet").tiers[1].blocks, 20u);
  EXPECT_EQ(usage("flooder").tiers[1].blocks, 10u);
}

TEST_F(TenantRules, D2_a_write_that_its_quota_has_no_room_for_is_dropped_as_such) {
  open();
  quota("alice", {.tiers = {{"tier1", 2 * kRecord}}});
  as("alice");
  const auto queue = store_->make_queue();
  store_chain(1, 4, {}, {queue, 7});
  settle();
  std::map<DropCause, int> causes;
  std::array<Completion, 16> events;
  const size_t count = queue->poll(events);
  for (size_t i = 0; i < count; ++i) {
    if (events[i].kind == EventKind::kWrite) ++causes[events[i].cause];
  }
  EXPECT_EQ(causes[DropCause::kNone], 2);
  EXPECT_EQ(causes[DropCause::kQuota], 1);
  EXPECT_EQ(causes[DropCause::kParentDropped], 1);
  EXPECT_EQ(usage("alice").tiers[1].refusals, 1u);
  EXPECT_EQ(found(1, 4), 4u) << "L1 has them";
}

TEST_F(TenantRules, D2_families_leave_together_for_a_quota) {
  open(0);
  as("alice");
  quota("alice", {.l1 = 6 * kRecord});
  for (int i = 0; i < 6; ++i) {  // two shards a family, each shard a chain of its own
    for (uint32_t shard = 0; shard < 2; ++shard) store_member(key(1 + i), shard);
  }
  EXPECT_EQ(usage("alice").tiers[0].blocks, 6u);
  for (int i = 0; i < 6; ++i) {
    const bool first = store_->lookup(std::vector{member(key(1 + i), 0)})->found == 1;
    EXPECT_EQ(store_->lookup(std::vector{member(key(1 + i), 1)})->found == 1, first) << i;
    EXPECT_EQ(first, i >= 3) << i;
  }
}

TEST_F(TenantRules, D2_reserved_bytes_have_a_limit_of_their_own) {
  open(0);
  quota("alice", {.reserved = 3 * kRecord});
  as("alice");
  auto first = reserve(1, 5);
  EXPECT_EQ(first[2].outcome, ReserveOutcome::kBuffer);
  EXPECT_EQ(first[3].outcome, ReserveOutcome::kNoRoom);
  EXPECT_EQ(reserve(11, 1)[0].outcome, ReserveOutcome::kNoRoom);
  as("bob");
  EXPECT_EQ(reserve(21, 1)[0].outcome, ReserveOutcome::kBuffer);
  as("alice");
  first.clear();
  EXPECT_EQ(store_chain(1, 3), 3u);
  EXPECT_EQ(store_chain(11, 3), 3u) << "what was committed is not reserved any more";
}

TEST_F(TenantRules, D2_leased_bytes_have_a_limit_of_their_own) {
  open();
  quota("alice", {.leased = 2 * kRecord});
  as("alice");
  store_chain(1, 4);
  settle();
  evict_l1();
  GetOptions transient;
  transient.write_back = WriteBack::kNever;
  const auto blocks = store_->get(keys(1, 4), transient);
  EXPECT_EQ(blocks->size(), 2u);
  EXPECT_EQ(blocks->reasons()[0], MissReason::kNoRoom);
  EXPECT_EQ(usage("alice").leased_bytes, 2 * kRecord);
  EXPECT_EQ(usage("alice").tiers[0].refusals, 1u);
}

TEST_F(TenantRules, D2_a_quota_holds_before_the_tenants_first_block) {
  name_tiers(1);
  options_.quotas = {{tenant_name("alice"), {.l1 = 2 * kRecord, .tiers = {{"tier1", kRecord}}}}};
  open();
  EXPECT_EQ(usage("alice").quota.l1, 2 * kRecord);
  as("alice");
  EXPECT_EQ(store_chain(1, 4), 2u);
  settle();
  EXPECT_EQ(usage("alice").tiers[1].blocks, 1u);
}

TEST_F(TenantRules, D2_what_a_tenant_above_its_quota_loads_is_delivered_and_not_kept) {
  open();
  as("alice");
  store_chain(1, 6);
  settle();
  evict_l1();
  quota("alice", {.l1 = 0});
  {
    const auto blocks = store_->get(keys(1, 6));
    ASSERT_EQ(blocks->size(), 6u);
    EXPECT_TRUE(right((*blocks)[5]));
    EXPECT_EQ(usage("alice").leased_bytes, 6 * kRecord);
  }
  EXPECT_EQ(usage("alice").tiers[0].blocks, 0u);
  EXPECT_EQ(usage("alice").leased_bytes, 0u);
}

TEST_F(TenantRules, D2_what_is_loaded_takes_the_place_of_the_tenants_colder_blocks) {
  open();
  as("alice");
  store_chain(1, 6);
  settle();
  evict_l1();
  quota("alice", {.l1 = 4 * kRecord});
  store_chain(11, 4);
  settle();
  EXPECT_EQ(store_->get(keys(1, 6))->size(), 6u);
  EXPECT_EQ(usage("alice").tiers[0].blocks, 4u);
  for (int i = 1; i <= 6; ++i) {
    EXPECT_EQ((places(keys(i, 1))[0] & tier_bit(kL1)) != 0, i <= 4) << "the prefix is kept: " << i;
  }
}

TEST_F(TenantRules, D2_loads_of_a_tenant_at_its_quota_push_out_nobody_else) {
  open();
  as("alice");
  store_chain(1, 8);
  settle();
  evict_l1();
  quota("alice", {.l1 = 0});
  as("bob");
  tiers_[0]->unavailable = true;
  store_chain(201, kL1Blocks);
  settle();
  tiers_[0]->unavailable = false;
  const auto blocks = store_->get(keys(1, 8));
  EXPECT_EQ(blocks->size(), 0u);
  EXPECT_EQ(blocks->reasons()[0], MissReason::kNoRoom);
  EXPECT_EQ(found(201, kL1Blocks), kL1Blocks);
}

TEST_F(TenantRules, D2_a_restart_counts_what_tiers_announce) {
  const Key root = root_of("alice");
  prepare_ = [&] {
    tiers_[0]->remember_namespace({root, fields_of("alice", true), true});
    for (int i = 0; i < 5; ++i) {
      tier::FoundBlock found;
      found.meta.key = key(1 + i);
      found.meta.parent = i == 0 ? Key{} : key(i);
      found.meta.root = root;
      found.meta.payload_bytes = kBlock;
      found.where.place = 1000 + static_cast<uint64_t>(i);
      tiers_[0]->found_at_start.push_back(found);
    }
  };
  name_tiers(1);
  options_.quotas = {{tenant_name("alice"), {.tiers = {{"tier1", 3 * kRecord}}}}};
  open();
  EXPECT_EQ(usage("alice").tiers[1].blocks, 3u) << "and brought to the quota";
  EXPECT_EQ(found(1, 5), 3u);
}

TEST_F(TenantRules, D2_noop_evicts_for_no_quota) {
  options_.l1.eviction = "noop";
  open(0);
  quota("alice", {.l1 = 3 * kRecord});
  as("alice");
  EXPECT_EQ(store_chain(1, 5), 3u);
  EXPECT_EQ(store_chain(11, 1), 0u);
  EXPECT_EQ(quota("alice", {.l1 = kRecord}), 2 * kRecord);
  EXPECT_EQ(found(1, 3), 3u);
}

TEST_F(TenantRules, D2_in_staging_what_is_on_its_way_is_reserved) {
  options_.l1.mode = L1Mode::kStaging;
  open();
  tiers_[0]->hold_writes = true;
  quota("alice", {.l1 = 2 * kRecord});
  as("alice");
  EXPECT_EQ(store_chain(1, 3), 2u);
  settle();
  EXPECT_EQ(usage("alice").reserved_bytes, 2 * kRecord);
  tiers_[0]->release_writes();
  settle();
  EXPECT_EQ(usage("alice").reserved_bytes, 0u);
  EXPECT_EQ(store_chain(11, 1), 1u);
}

TEST_F(TenantRules, D2_whoever_waits_for_a_quota_is_answered_at_its_deadline) {
  open(0);
  as("alice");
  store_chain(1, 3);
  auto leased = store_->get(keys(1, 3));
  quota("alice", {.l1 = kRecord});
  std::vector<BlockSpec> specs{{key(11), kBlock, {}, {}}};
  const auto answers = store_->reserve_wait({root_, {}, specs}, std::chrono::seconds(1));
  EXPECT_EQ((*answers)[0].outcome, ReserveOutcome::kNoRoom);
}

TEST_F(TenantRules, D2_clients_of_one_tenant_share_its_quota) {
  segments_ = [] { return memory::shared_segments(); };
  open(0);
  as("bob");
  store_chain(201, 32);  // a segment
  as("alice");
  quota("alice", {.l1 = 20 * kRecord});
  const auto store_as = [&](memory::SlotOwner owner, int first, int count) {
    std::vector<BlockSpec> specs;
    for (const Key& k : keys(first, count)) specs.push_back({k, kBlock, {}, {}});
    auto answers = manager_->reserve({root_, {}, specs}, owner);
    std::vector<Reservation> filled;
    for (auto& answer : *answers) {
      if (answer.reservation) filled.push_back(std::move(answer.reservation));
    }
    ASSERT_TRUE(store_->commit(filled));
  };
  for (int round = 0; round < 20; ++round) store_as(1 + round % 2, 1000 + 10 * round, 10);
  settle();
  EXPECT_EQ(usage("alice").tiers[0].blocks, 20u);
  EXPECT_EQ(found(201, 32), 32u);
  expect_recount();
}

TEST_F(TenantRules, D2_names_and_tiers_that_there_are_not_are_refused) {
  open();
  EXPECT_EQ(store_->set_quota("alice", {}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(store_->set_quota("", {.tiers = {{"nosuch", 1}}}).error().code, Code::kNotFound);
  options_.quotas = {{"alice", {}}};
  EXPECT_FALSE(options_.validate());
  options_.quotas = {{"", {}}, {"", {}}};
  EXPECT_FALSE(options_.validate());
}

// Whatever happens, what is counted is what a walk over all blocks finds, and nobody is above its quota once
// all is settled and nothing is leased.
TEST_F(TenantRules, D2_accounting_equals_a_recount_whatever_happens) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    base::Random random(seed);
    options_.l1.eviction = seed % 3 == 0 ? "two_class" : "lru";
    options_.l1.mode = seed % 5 == 0 ? L1Mode::kStaging : L1Mode::kCache;
    prepare_ = [&] {
      tiers_[0]->records_max = 60 + random.below(100);
      tiers_[1]->fail_writes = seed % 4 == 0;
    };
    reopen(2);
    const std::vector<std::string> names{"", "alice", "bob", "carol"};
    std::vector<Blocks> leased;
    for (int step = 0; step < 300; ++step) {
      const std::string& name = names[random.below(names.size())];
      const int chain = static_cast<int>(random.below(40));
      const int first = 1 + 1000 * static_cast<int>(&name - names.data()) + 20 * chain;
      as(name);
      switch (random.below(8)) {
        case 0:
        case 1:
        case 2:
          store_chain(first, 1 + static_cast<int>(random.below(12)), {}, {},
                      chain % 2 == 0 ? kBlock : 200000);
          break;
        case 3:
          if (auto blocks = store_->get(keys(first, 12))) leased.push_back(std::move(*blocks));
          break;
        case 4:
          if (!leased.empty()) leased.erase(leased.begin());
          break;
        case 5:
          (void)store_->remove(keys(first, 3));
          break;
        case 6:
          quota(name, {.l1 = random.below(60) * kRecord, .tiers = {{"tier1", random.below(60) * kRecord}}});
          break;
        case 7:
          settle();
          break;
      }
      expect_recount();
    }
    leased.clear();
    settle();
    expect_recount();
    for (const TenantUsage& tenant : store_->tenants()) {
      for (const TenantShare& share : tenant.tiers) EXPECT_EQ(share.above, 0u) << tenant.tenant;
      EXPECT_EQ(tenant.reserved_bytes, 0u);
      EXPECT_EQ(tenant.leased_bytes, 0u);
    }
  }
}

}  // namespace
}  // namespace terrace::store
