#include <terrace/options.h>

#include <gtest/gtest.h>

namespace terrace {
namespace {

TEST(StoreOptions, C3_defaults) {
  const StoreOptions options;
  EXPECT_EQ(options.l1.high_watermark, 0.95);
  EXPECT_EQ(options.l1.low_watermark, 0.90);
  const DiskOptions disk;
  EXPECT_EQ(disk.high_watermark, 0.98);
  EXPECT_EQ(disk.low_watermark, 0.95);
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
  options = {};
  options.store_policy = "sometimes";
  EXPECT_NE(message_of(options).find("sometimes"), std::string::npos);
}

}  // namespace
}  // namespace terrace
