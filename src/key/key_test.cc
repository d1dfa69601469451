#include <terrace/key.h>

#include <cctype>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace terrace {
namespace {

using testing::HasSubstr;

Key root() {
  return namespace_root({.model_id = "m"}).value();
}

TEST(Key, hex_round_trip_in_either_case) {
  Key key;
  for (size_t i = 0; i < key.bytes.size(); ++i) key.bytes[i] = static_cast<uint8_t>(0xF8 + 7 * i);
  std::string hex = to_hex(key);
  EXPECT_EQ(key_from_hex(hex).value(), key);
  for (char& c : hex) c = static_cast<char>(std::toupper(c));
  EXPECT_EQ(key_from_hex(hex).value(), key);
}

TEST(Key, bad_hex_is_refused_with_its_length_or_position) {
  EXPECT_THAT(key_from_hex("abc").error().message, HasSubstr("3 characters"));
  EXPECT_THAT(key_from_hex("").error().message, HasSubstr("0 characters"));
  std::string hex(64, '0');
  hex[41] = 'g';
  EXPECT_THAT(key_from_hex(hex).error().message, HasSubstr("position 41"));
}

TEST(Key, K1_absent_differs_from_empty_and_field_order_matters) {
  const Namespace absent;
  EXPECT_NE(namespace_root(absent).value(), namespace_root({.model_id = ""}).value());
  EXPECT_NE(namespace_root({.model_id = "x"}).value(), namespace_root({.model_fingerprint = "x"}).value());
  EXPECT_NE(namespace_root({.groups = 1}).value(), namespace_root(absent).value());
}

TEST(Key, K1_a_field_beyond_64_KiB_is_refused_by_name) {
  EXPECT_TRUE(namespace_root({.adapter = std::string(65536, 'a')}).has_value());
  const auto refused = namespace_root({.adapter = std::string(65537, 'a')});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().error.code, Code::kLimitExceeded);
  EXPECT_THAT(refused.error().message, HasSubstr("adapter"));
}

TEST(Key, K2_short_and_weak_digests_are_refused) {
  const std::vector<uint8_t> digest(16, 1);
  EXPECT_TRUE(family_of_digest(root(), digest).has_value());
  EXPECT_EQ(family_of_digest(root(), std::span(digest).first(15)).error().error.code, Code::kInvalidArgument);
  EXPECT_EQ(family_of_digest(root(), {}).error().error.code, Code::kInvalidArgument);
  EXPECT_EQ(family_of_digest(root(), digest, true).error().error.code, Code::kInvalidArgument);
  EXPECT_EQ(family_of_digest(root(), digest, true, true).value(), family_of_digest(root(), digest).value());
  EXPECT_EQ(family_of_digest(root(), std::vector<uint8_t>(70000)).error().error.code, Code::kLimitExceeded);
}

TEST(Key, K2_every_block_depends_on_all_before_it) {
  const std::vector<uint32_t> tokens{1, 2, 3, 4, 5, 6, 7, 8};
  const auto keys = block_keys(root(), tokens, 2);
  auto changed = tokens;
  changed[3] = 99;
  const auto other = block_keys(root(), changed, 2);
  ASSERT_EQ(keys.size(), 4U);
  EXPECT_EQ(keys[0], other[0]);
  for (size_t i = 1; i < keys.size(); ++i) EXPECT_NE(keys[i], other[i]) << i;
}

TEST(Key, K2_extra_keys_are_part_of_the_key) {
  const std::vector<uint32_t> tokens{1, 2};
  const std::vector<std::string_view> one{"ab"}, split{"a", "b"};
  PrefixHasher plain(root()), with_one(root()), with_split(root());
  const Key a = plain.next(tokens), b = with_one.next(tokens, one), c = with_split.next(tokens, split);
  EXPECT_NE(a, b);
  EXPECT_NE(b, c);
  EXPECT_EQ(plain.last(), a);
}

TEST(Key, K3_a_partial_last_block_has_no_key_among_the_whole_ones) {
  const std::vector<uint32_t> tokens{1, 2, 3, 4, 5};
  EXPECT_EQ(block_keys(root(), tokens, 2).size(), 2U);
  EXPECT_EQ(block_keys(root(), tokens, 5).size(), 1U);
  EXPECT_TRUE(block_keys(root(), tokens, 6).empty());
  EXPECT_TRUE(block_keys(root(), {}, 1).empty());
}

TEST(Key, threads_hash_independently) {
  std::vector<uint32_t> tokens(4096);
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<uint32_t>(i);
  const auto expected = block_keys(root(), tokens, 16);
  std::vector<std::vector<Key>> found(4);
  {
    std::vector<std::jthread> threads;
    for (auto& keys : found) threads.emplace_back([&] { keys = block_keys(root(), tokens, 16); });
  }
  for (const auto& keys : found) EXPECT_EQ(keys, expected);
}

}  // namespace
}  // namespace terrace
