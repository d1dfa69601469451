#include "config/schema.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace terrace::config {
namespace {

using testing::Contains;
using testing::HasSubstr;

// Stops compiling when an option is added: it needs a line in the schema too.
TEST(Schema, C1_every_option_has_a_key) {
  StoreOptions options;
  options.tiers.resize(1);
  [[maybe_unused]] const auto& [l1, tiers, write_back, prefetch_policy, region_loads, store_in_flight,
                                prefetch_in_flight, hold, get_timeout, lookup_timeout, negative,
                                operation_timeout, history, quotas] = options;
  [[maybe_unused]] const auto& [budget, mode, l1_eviction, l1_high, l1_low, largest, verify] = l1;
  [[maybe_unused]] const auto& [kind, name, store_policy, eviction, high, low, admission, per_second, per_day,
                                disk, mock] = tiers[0];
  [[maybe_unused]] const auto& [paths, capacity, placement, require, io, interval, sync_bytes, quarantine] =
      disk;
  [[maybe_unused]] const auto& [mock_capacity, bandwidth, latency, backing] = mock;
  [[maybe_unused]] const auto& [socket, also_allow, auth, reserved, leased] = ServerSettings{};
  constexpr size_t kStore = 12, kL1 = 7, kTier = 9, kDisk = 8, kMock = 4,
                   kServer = 5;  // those above without sections
  EXPECT_EQ(schema().size(), kStore + kL1 + kTier + kDisk + kMock + kServer);
}

TEST(Schema, C1_names_are_unique_in_files_and_in_the_environment) {
  std::set<std::string> names, variables;
  for (const Entry& entry : schema()) {
    const KeyRef key{&entry, 3};
    EXPECT_TRUE(names.insert(name_of(key)).second) << entry.name;
    EXPECT_TRUE(variables.insert(environment_name(key)).second) << entry.name;
    EXPECT_FALSE(entry.meaning.empty()) << entry.name;
    const auto by_name = find_key(name_of(key));
    ASSERT_TRUE(by_name);
    EXPECT_EQ(by_name->entry, &entry);
    const auto by_variable = find_environment_name(environment_name(key));
    ASSERT_TRUE(by_variable);
    EXPECT_EQ(by_variable->entry, &entry);
    EXPECT_EQ(by_variable->tier, is_of_tier(entry) ? 3u : 0u);
  }
}

TEST(Schema, C3_defaults_are_those_of_the_options_and_allowed) {
  for (const Entry& entry : schema()) {
    EXPECT_TRUE(allows(entry, default_of(entry))) << entry.name;
  }
  EXPECT_EQ(text_of(Kind::kSize, default_of(*find_key("l1.budget")->entry)), "1GiB");
  EXPECT_EQ(text_of(Kind::kDuration, default_of(*find_key("prefetch.hold")->entry)), "30s");
  EXPECT_EQ(text_of(Kind::kDuration, default_of(*find_key("get.timeout")->entry)), "2s");
  EXPECT_EQ(text_of(Kind::kRatio, default_of(*find_key("tiers[0].high_watermark")->entry)), "0.98");
  EXPECT_EQ(text_of(Kind::kCount, default_of(*find_key("tiers[0].disk.quarantine_after")->entry)), "3");
}

TEST(Schema, every_value_reads_back_as_it_was_printed) {
  for (const Entry& entry : schema()) {
    if (is_list(entry.kind)) continue;
    const Value value = default_of(entry);
    const auto again = parse_value(entry.kind, text_of(entry.kind, value));
    ASSERT_TRUE(again) << entry.name;
    EXPECT_EQ(*again, value) << entry.name;
  }
  EXPECT_EQ(text_of(Kind::kSize, Value(uint64_t{1536} << 20)), "1536MiB");
  EXPECT_EQ(text_of(Kind::kSize, Value(uint64_t{4097})), "4097B");
  EXPECT_EQ(text_of(Kind::kDuration, Value(Timeout(1'500'000'000))), "1500ms");
}

TEST(Schema, every_choice_can_be_set_and_got) {
  Configuration configuration;
  configuration.options.tiers.resize(1);
  for (const Entry& entry : schema()) {
    for (const std::string_view name : entry.choices) {
      entry.set(configuration, 0, Value(std::string(name)));
      EXPECT_EQ(std::get<std::string>(entry.get(configuration, 0)), name) << entry.name;
    }
  }
}

TEST(Schema, policies_are_those_that_are_built) {
  const Entry& policy = *find_key("tiers[0].store_policy")->entry;
  EXPECT_THAT(policy.choices, Contains("second_touch"));
  EXPECT_THAT(allowed(policy), HasSubstr("write_through, skip_l1"));
  EXPECT_EQ(allowed(*find_key("l1.largest_block")->entry), "0 to 256MiB");
  EXPECT_EQ(allowed(*find_key("l1.budget")->entry), "4MiB or more");
  EXPECT_EQ(allowed(*find_key("server.also_allow")->entry), "0 to 4294967294");
}

TEST(Schema, names_that_are_no_keys_are_not_found) {
  for (const char* name : {"l1", "l1.budge", "tiers.disk.paths", "tiers[].name", "tiers[x].name", "tiers[0]",
                           "tiers[0]name", "", "l1.budget.", "tiers[99999999999999999999].name"}) {
    EXPECT_FALSE(find_key(name)) << name;
  }
  for (const char* name :
       {"TERRACE_L1", "TERRACE_TIERS_NAME", "TERRACE_TIERS_00_NAME", "TERRACE_l1_budget"}) {
    EXPECT_FALSE(find_environment_name(name)) << name;
  }
  EXPECT_TRUE(is_section("l1"));
  EXPECT_TRUE(is_section("tiers"));
  EXPECT_TRUE(is_section("tiers[4].disk"));
  EXPECT_FALSE(is_section("tiers[4].dis"));
  EXPECT_FALSE(is_section("l1.budget"));
}

}  // namespace
}  // namespace terrace::config
