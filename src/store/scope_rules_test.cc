// Calls that are bound to namespaces (a server's `auth: namespaces`): what is of others is not there for
// them.
#include <algorithm>
#include <array>

#include <gmock/gmock.h>

#include "store/testing/tenant_fixture.h"

namespace terrace::store {
namespace {

using ::testing::ElementsAre;
using testing::TenantTest;

class ScopeRules : public TenantTest {
 protected:
  // Three blocks of alice's, then three of bob's, in the tier as well.
  void store_of_both() {
    open(1);
    as("alice");
    store_chain(1, 3);
    as("bob");
    store_chain(11, 3);
    settle();
  }
  static ScopePtr of(const std::string& salt) {
    return std::make_shared<const Scope>(std::vector<Key>{root_of(salt)});
  }
  static ScopePtr of_none() { return std::make_shared<const Scope>(std::vector<Key>{}); }
  size_t found(int first, const ScopePtr& scope, bool pin = false) {
    return manager_->lookup(keys(first, 3), pin, scope)->found;
  }
  size_t got(int first, const ScopePtr& scope) {
    auto get = manager_->get_async(keys(first, 3), {}, {}, scope);
    EXPECT_TRUE(get);
    settle();
    const auto blocks = get->take();
    EXPECT_TRUE(blocks);
    return blocks ? blocks->size() : SIZE_MAX;
  }
};

TEST_F(ScopeRules, a_lookup_finds_what_is_of_its_namespaces) {
  store_of_both();
  for (const bool pin : {false, true}) {
    EXPECT_EQ(found(1, of("alice"), pin), 3u);
    EXPECT_EQ(found(11, of("alice"), pin), 0u);
    EXPECT_EQ(found(11, of("bob"), pin), 3u);
    EXPECT_EQ(found(1, of_none(), pin), 0u);
    EXPECT_EQ(found(11, nullptr, pin), 3u);
  }
}

TEST_F(ScopeRules, what_is_of_others_is_unknown_also_in_its_history) {
  store_of_both();
  ASSERT_TRUE(store_->remove(keys(11, 3)));
  const auto answer = manager_->lookup(keys(11, 2), false, of("alice"));
  EXPECT_THAT(answer->reasons, ElementsAre(MissReason::kUnknown, MissReason::kBehindHole));
}

TEST_F(ScopeRules, a_get_delivers_what_is_of_its_namespaces_from_every_tier) {
  store_of_both();
  EXPECT_EQ(got(1, of("alice")), 3u);
  EXPECT_EQ(got(11, of("alice")), 0u);
  evict_l1();
  EXPECT_EQ(got(11, of("alice")), 0u);
  EXPECT_EQ(tiers_[0]->reads, 0u);
  EXPECT_EQ(got(1, of("alice")), 3u);
  EXPECT_EQ(got(11, of("bob")), 3u);
}

TEST_F(ScopeRules, a_get_into_writes_nothing_of_others) {
  store_of_both();
  evict_l1();
  alignas(4096) static std::array<std::byte, 3 * 61'440> memory;
  std::ranges::fill(memory, std::byte{0xEE});
  const auto region = store_->register_region(memory.data(), memory.size());
  std::vector<RegionSlice> slices;
  for (size_t i = 0; i < 3; ++i) slices.push_back({*region, i * 61'440, kBlock});
  const GetOptions options{.timeout = kDefaultTimeout, .write_back = WriteBack::kNever};
  auto into = manager_->get_into(keys(11, 3), slices, options, {}, of("alice"));
  ASSERT_TRUE(into);
  settle();
  EXPECT_EQ(into->result().delivered, 0u);
  EXPECT_TRUE(std::ranges::all_of(memory, [](std::byte byte) { return byte == std::byte{0xEE}; }));
  into = manager_->get_into(keys(1, 3), slices, options, {}, of("alice"));
  settle();
  EXPECT_EQ(into->result().delivered, 3u);
}

TEST_F(ScopeRules, a_prefetch_brings_nothing_of_others) {
  store_of_both();
  evict_l1();
  auto ticket = manager_->prefetch(keys(11, 3), {}, {}, of("alice"));
  ASSERT_TRUE(ticket);
  settle();
  EXPECT_EQ(ticket->progress().arrived, 0u);
  EXPECT_EQ(tiers_[0]->reads, 0u);
}

TEST_F(ScopeRules, a_removal_takes_nothing_of_others) {
  store_of_both();
  EXPECT_EQ(*manager_->remove(keys(11, 3), false, of("alice")), 0u);
  EXPECT_EQ(found(11, of("bob")), 3u);
  EXPECT_EQ(*manager_->remove(keys(11, 3), false, of("bob")), 3u);
  EXPECT_EQ(found(11, of("bob")), 0u);
}

TEST_F(ScopeRules, a_subscription_hears_of_its_namespaces_blocks_and_of_tiers) {
  store_of_both();
  const auto changes = manager_->subscribe(of("alice"));
  ASSERT_TRUE(store_->remove(keys(1, 1)));
  ASSERT_TRUE(store_->remove(keys(11, 3)));
  std::array<Change, 16> some;
  ASSERT_EQ(changes->poll(some), 2u);
  EXPECT_EQ(some[0].key, key(1));
}

}  // namespace
}  // namespace terrace::store
