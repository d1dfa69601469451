// Statistics, X1: they add up, and say whose misses and whose time they are.
#include <cstdlib>
#include <numeric>

#include "base/random.h"
#include "store/testing/store_fixture.h"

namespace terrace::store {
namespace {

using testing::StoreTest;

uint64_t sum(const uint64_t (&misses)[kMissReasons]) {
  return std::accumulate(std::begin(misses), std::end(misses), uint64_t{0});
}

class StatsRules : public StoreTest {
 protected:
  static Key root_of(int name_space) {
    Key root;
    root.bytes[0] = 0xAA;
    root.bytes[1] = static_cast<uint8_t>(name_space);
    return root;
  }
  void expect_that_all_adds_up() {
    const StoreStats stats = store_->stats();
    EXPECT_EQ(sum(stats.misses), stats.keys_asked - stats.keys_delivered);
    EXPECT_EQ(stats.misses[static_cast<size_t>(MissReason::kNone)], 0u);
    KeyCounts total = stats.of_no_namespace;
    EXPECT_EQ(total.asked - total.delivered, sum(total.misses));
    for (const StoredNamespace& name_space : store_->namespaces()) {
      const KeyCounts& keys = name_space.keys;
      EXPECT_EQ(keys.asked - keys.delivered, sum(keys.misses));
      total.asked += keys.asked;
      total.delivered += keys.delivered;
      for (size_t i = 0; i < kMissReasons; ++i) total.misses[i] += keys.misses[i];
    }
    EXPECT_EQ(total.asked, stats.keys_asked);
    EXPECT_EQ(total.delivered, stats.keys_delivered);
    EXPECT_TRUE(std::ranges::equal(total.misses, stats.misses));
    uint64_t hits = 0, tier_misses = 0;
    for (const TierStats& tier : stats.tiers) {
      hits += tier.hits;
      tier_misses += sum(tier.misses);
    }
    EXPECT_EQ(hits, stats.keys_delivered);
    EXPECT_LE(tier_misses, sum(stats.misses));
  }
};

// Chains of three namespaces, stored, asked for in every form, removed, over tiers that fail now and then.
class Workload : public StatsRules {
 protected:
  static constexpr int kChains = 12, kLength = 30;
  static constexpr uint64_t kStride = 61440;

  void run(uint64_t seed, int steps) {
    base::Random random(seed);
    const std::unique_ptr<std::byte, void (*)(void*)> memory(
        static_cast<std::byte*>(std::aligned_alloc(4096, kLength * kStride)), std::free);
    const RegionId region = store_->register_region(memory.get(), kLength * kStride).value();
    for (int step = 0; step < steps; ++step) {
      for (ScriptedTier* tier : tiers_) {
        tier->fail_reads = random.one_in(15);
        tier->fail_writes = random.one_in(15);
        tier->flip_reads = random.one_in(20);
        tier->unavailable = random.one_in(20);
        tier->hold_reads = random.one_in(5);
      }
      const int chain = static_cast<int>(random.below(kChains));
      one(random, chain, region);
      settle();
      for (ScriptedTier* tier : tiers_) tier->release_reads();
      settle();
    }
    executor_.run_for(std::chrono::seconds(5));
    EXPECT_TRUE(store_->unregister_region(region));
  }

 private:
  using ScriptedTier = testing::ScriptedTier;
  void one(base::Random& random, int chain, RegionId region) {
    root_ = root_of(chain % 3);
    const auto length = static_cast<int>(random.below(kLength) + 1);
    const auto wanted = keys(1 + chain * 100, length);
    const GetOptions options{.timeout = std::chrono::milliseconds(10)};
    std::vector<RegionSlice> slices;
    for (int i = 0; i < length; ++i) slices.push_back({region, static_cast<uint64_t>(i) * kStride, kBlock});
    switch (random.below(8)) {
      case 0:
      case 1:
      case 2:
        store_chain(1 + chain * 100, length);
        return;
      case 3:
        EXPECT_TRUE(store_->remove(std::span(wanted).last(1)));
        return;
      case 4: {
        auto into = store_->get_into(wanted, slices, options);
        executor_.run_for(std::chrono::milliseconds(random.one_in(2) ? 20 : 1));
        for (testing::ScriptedTier* tier : tiers_) tier->release_reads();
        settle();
        return;
      }
      case 5: {
        auto get = store_->get_async(wanted, options);
        if (random.one_in(2)) get->cancel();
        executor_.run_for(std::chrono::milliseconds(20));
        return;
      }
      default:
        EXPECT_TRUE(store_->get(wanted, options));
    }
  }
};

TEST_F(Workload, X1_reasons_add_up_for_the_store_and_for_each_namespace) {
  for (const uint64_t seed : {1u, 2u, 3u}) {
    open(2);
    run(seed, 400);
    expect_that_all_adds_up();
    const StoreStats stats = store_->stats();
    EXPECT_GT(stats.keys_delivered, 0u);
    const auto reasons = std::ranges::count_if(stats.misses, [](uint64_t count) { return count > 0; });
    EXPECT_GE(reasons, 5) << "the workload is poor";
    EXPECT_EQ(store_->namespaces().size(), 3u);
    for (testing::ScriptedTier* tier : tiers_) tier->release_reads();
    settle();
  }
}

TEST_F(StatsRules, X1_a_key_never_seen_belongs_to_no_namespace) {
  open();
  store_chain(1, 2);
  settle();
  store_->get(keys(1, 5));
  const StoreStats stats = store_->stats();
  EXPECT_EQ(stats.of_no_namespace.asked, 3u);
  EXPECT_EQ(sum(stats.of_no_namespace.misses), 3u);
  ASSERT_EQ(store_->namespaces().size(), 1u);
  const StoredNamespace name_space = store_->namespaces()[0];
  EXPECT_EQ(name_space.root, root_);
  EXPECT_EQ(name_space.blocks, 2u);
  EXPECT_EQ(name_space.bytes, 2 * kBlock);
  EXPECT_EQ(name_space.keys.asked, 2u);
  EXPECT_EQ(name_space.keys.delivered, 2u);
}

TEST_F(StatsRules, X1_a_known_key_behind_a_hole_is_a_miss_of_its_namespace) {
  open();
  store_chain(1, 3);
  settle();
  evict_l1();
  tiers_[0]->fail_reads = true;
  store_->get(keys(1, 3));
  const KeyCounts counts = store_->namespaces()[0].keys;
  EXPECT_EQ(counts.misses[static_cast<size_t>(MissReason::kDeviceError)], 1u);
  EXPECT_EQ(counts.misses[static_cast<size_t>(MissReason::kBehindHole)], 2u);
  expect_that_all_adds_up();
}

TEST_F(StatsRules, X1_a_tiers_misses_are_those_of_copies_it_held) {
  open();
  store_chain(1, 3);
  settle();
  evict_l1();
  store_->get(keys(500, 1));  // nobody's
  tiers_[0]->unavailable = true;
  store_->get(keys(1, 1));
  tiers_[0]->unavailable = false;
  tiers_[0]->flip_reads = true;
  store_->get(keys(3, 1));
  const StoreStats stats = store_->stats();
  EXPECT_EQ(sum(stats.misses), 3u);
  EXPECT_EQ(sum(stats.tiers[0].misses), 0u);
  EXPECT_EQ(sum(stats.tiers[1].misses), 2u);
  EXPECT_EQ(stats.tiers[1].misses[static_cast<size_t>(MissReason::kTierUnavailable)], 1u);
  EXPECT_EQ(stats.tiers[1].misses[static_cast<size_t>(MissReason::kDamaged)], 1u);
  EXPECT_EQ(stats.tiers[1].verification_failures, 1u);
}

TEST_F(StatsRules, X1_latencies_are_by_tier_and_of_the_stores_clock) {
  open(2);
  tiers_[1]->hold_writes = true;
  store_chain(1, 1);
  executor_.run_for(std::chrono::milliseconds(3));
  tiers_[1]->release_writes();
  settle();
  const StoreStats written = store_->stats();
  EXPECT_EQ(written.tiers[1].write_latency.count, 1u);
  EXPECT_LT(written.tiers[1].write_latency.max_us, 1);
  EXPECT_EQ(written.tiers[2].write_latency.count, 1u);
  EXPECT_NEAR(written.tiers[2].write_latency.p99_us, 3000, 3000.0 / 16);
  tiers_[1]->hold_writes = false;
  evict_l1();
  tiers_[0]->hold_reads = true;
  auto get = store_->get_async(keys(1, 1), {.timeout = std::chrono::seconds(9)});
  executor_.run_for(std::chrono::milliseconds(7));
  tiers_[0]->release_reads();
  settle();
  const StoreStats stats = store_->stats();
  EXPECT_EQ(stats.tiers[1].read_latency.count, 1u);
  EXPECT_NEAR(stats.tiers[1].read_latency.p50_us, 7000, 7000.0 / 16);
  EXPECT_EQ(stats.tiers[2].read_latency.count, 0u);
}

TEST_F(StatsRules, X1_drops_are_counted_by_cause) {
  open();
  tiers_[0]->records_max = 1;
  tiers_[0]->hold_writes = true;
  store_chain(1, 1);
  settle();
  store_chain(50, 1);
  settle();
  store_chain(51, 1, key(50));
  settle();
  const StoreStats stats = store_->stats();
  EXPECT_EQ(stats.tiers[1].drops[static_cast<size_t>(DropCause::kNoRoom)], 1u);
  EXPECT_EQ(stats.tiers[1].drops[static_cast<size_t>(DropCause::kParentDropped)], 1u);
}

}  // namespace
}  // namespace terrace::store
