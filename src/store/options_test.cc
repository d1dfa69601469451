#include <terrace/options.h>

#include <gtest/gtest.h>

namespace terrace {
namespace {

TEST(StoreOptions, C3_defaults) {
  const StoreOptions options;
  EXPECT_EQ(options.l1.high_watermark, 0.95);
  EXPECT_EQ(options.l1.low_watermark, 0.90);
  const TierOptions tier;
  EXPECT_EQ(tier.high_watermark, 0.98);
  EXPECT_EQ(tier.low_watermark, 0.95);
  EXPECT_EQ(options.lookup_timeout, std::chrono::milliseconds(20));
  EXPECT_EQ(options.negative_presence, std::chrono::seconds(1));
  const DiskOptions disk;
  EXPECT_EQ(disk.sync_interval, std::chrono::seconds(1));
  EXPECT_EQ(disk.sync_bytes, 256ull << 20);
  EXPECT_EQ(disk.quarantine_after, 3u);
  EXPECT_EQ(options.prefetch_hold, std::chrono::seconds(30));
  EXPECT_EQ(options.get_timeout, std::chrono::seconds(2));
  EXPECT_TRUE(options.validate());
}

std::string message_of(const StoreOptions& options) {
  const auto ok = options.validate();
  return ok ? "" : ok.error().message;
}

TEST(StoreOptions, bad_values_are_named_with_what_is_allowed) {
  StoreOptions options;
  options.l1.budget = 1ull << 60;
  EXPECT_NE(message_of(options).find("l1.budget"), std::string::npos);
  EXPECT_NE(message_of(options).find("this machine's memory"), std::string::npos);
  options = {};
  options.l1.eviction = "clairvoyant";
  EXPECT_NE(message_of(options).find("clairvoyant"), std::string::npos);
  EXPECT_NE(message_of(options).find("lru"), std::string::npos);
  options = {};
  options.l1.low_watermark = 0.99;
  EXPECT_NE(message_of(options).find("watermark"), std::string::npos);
  options = {};
  options.tiers.resize(2);
  options.tiers[0].disk.paths = options.tiers[1].disk.paths = {"/x"};
  EXPECT_NE(message_of(options).find("two tiers"), std::string::npos);
  options.tiers.resize(1);
  options.tiers[0].disk.paths.clear();
  EXPECT_NE(message_of(options).find("paths"), std::string::npos);
}

TEST(StoreOptions, a_policy_that_does_not_exist_is_named_with_those_that_do_C1) {
  StoreOptions options;
  options.tiers.resize(1);
  options.tiers[0].disk.paths = {"/x"};
  options.tiers[0].store_policy = "sometimes";
  EXPECT_NE(message_of(options).find("'sometimes' is not a store policy"), std::string::npos);
  EXPECT_NE(message_of(options).find("write_through, skip_l1"), std::string::npos);
  options.tiers[0].store_policy = "skip_l1";
  options.tiers[0].admission = "perhaps";
  EXPECT_NE(message_of(options).find("'perhaps' is not an admission policy"), std::string::npos);
  EXPECT_NE(message_of(options).find("write_budget"), std::string::npos);
}

TEST(StoreOptions, staging_and_off_refuse_policies_that_lose_blocks_M5) {
  StoreOptions options;
  options.tiers.resize(1);
  options.tiers[0].disk.paths = {"/x"};
  for (const L1Mode mode : {L1Mode::kStaging, L1Mode::kOff}) {
    options.l1.mode = mode;
    for (const char* policy : {"on_evict", "none"}) {
      options.tiers[0].store_policy = policy;
      EXPECT_NE(message_of(options).find(policy), std::string::npos);
    }
    options.tiers[0].store_policy = "write_through";
    EXPECT_EQ(message_of(options), "");
  }
}

TEST(StoreOptions, off_refuses_loads_through_L1_M5) {
  StoreOptions options;
  options.l1.mode = L1Mode::kOff;
  options.region_loads = RegionLoads::kBounced;
  const auto checked = options.validate();
  ASSERT_FALSE(checked);
  EXPECT_NE(checked.error().message.find("region_loads bounced with l1.mode off"), std::string::npos);
  options.region_loads = RegionLoads::kDirect;
  EXPECT_TRUE(options.validate());
}

TEST(StoreOptions, L1_holds_two_of_the_largest_blocks_M5) {
  StoreOptions options;
  options.l1.budget = 64ull << 20;
  options.l1.largest_block = 33ull << 20;
  EXPECT_NE(message_of(options).find("two of the largest blocks"), std::string::npos);
  options.l1.largest_block = 16ull << 20;
  EXPECT_EQ(message_of(options), "");
}

TEST(StoreOptions, cache_with_noop_is_warned_of_M5) {
  StoreOptions options;
  EXPECT_TRUE(options.warnings().empty());
  options.l1.eviction = "noop";
  ASSERT_EQ(options.warnings().size(), 1u);
  EXPECT_NE(options.warnings()[0].find("noop"), std::string::npos);
  options.l1.mode = L1Mode::kStaging;
  ASSERT_EQ(options.warnings().size(), 1u);
  EXPECT_NE(options.warnings()[0].find("without tiers"), std::string::npos);
}

}  // namespace
}  // namespace terrace
