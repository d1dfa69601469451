// Namespaces and keys of the C ABI are those of C++.
#include <terrace/key.h>

#include <array>
#include <cstring>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <terrace/terrace.h>

namespace terrace::capi_tests {
namespace {

using ::testing::HasSubstr;

std::string hex_of(const terrace_key& key) {
  char hex[TERRACE_HEX_BYTES];
  EXPECT_EQ(terrace_key_to_hex(&key, hex, nullptr), TERRACE_OK);
  return static_cast<const char*>(hex);
}

terrace_key root_of(const terrace_namespace& fields) {
  terrace_key root{};
  EXPECT_EQ(terrace_namespace_root(&fields, &root, nullptr), TERRACE_OK);
  return root;
}

terrace_namespace named() {
  terrace_namespace fields{};
  fields.size = sizeof fields;
  return fields;
}

class CApiKeys : public ::testing::Test {
 protected:
  void refused(terrace_code code, terrace_code expected, const std::string& text) const {
    EXPECT_EQ(code, expected) << error_.message;
    EXPECT_THAT(std::string(error_.message), HasSubstr(text));
  }
  terrace_error error_{};
  const terrace_key root_ = root_of(named());
  const Key cpp_root_ = namespace_root({}).value();
};

TEST_F(CApiKeys, all_ten_fields_of_a_namespace_count) {
  const uint32_t block_tokens = 256, version = 3, groups = 2;
  terrace_namespace fields = named();
  fields.model_id = "model";
  fields.model_fingerprint = "fingerprint";
  fields.kv_dtype = "f16";
  fields.layout_id = "layout";
  fields.block_tokens = &block_tokens;
  fields.producer = "producer";
  fields.producer_version = &version;
  fields.adapter = "";
  fields.tenant_salt = "salt";
  fields.groups = &groups;
  const Namespace same{.model_id = "model",
                       .model_fingerprint = "fingerprint",
                       .kv_dtype = "f16",
                       .layout_id = "layout",
                       .block_tokens = 256,
                       .producer = "producer",
                       .producer_version = 3,
                       .adapter = "",
                       .tenant_salt = "salt",
                       .groups = 2};
  EXPECT_EQ(hex_of(root_of(fields)), to_hex(namespace_root(same).value()));
  fields.adapter = nullptr;
  EXPECT_NE(hex_of(root_of(fields)), to_hex(namespace_root(same).value())) << "absent is not empty";
  EXPECT_EQ(hex_of(root_), to_hex(cpp_root_));
}

TEST_F(CApiKeys, whole_blocks_have_keys) {
  const std::vector<uint32_t> tokens{1, 2, 3, 4, 5, 6, 7};
  std::array<terrace_key, 3> keys{};
  size_t count = 0;
  ASSERT_EQ(terrace_block_keys(&root_, tokens.data(), 7, 2, keys.data(), 3, &count, &error_), TERRACE_OK);
  ASSERT_EQ(count, 3u);
  const auto same = block_keys(cpp_root_, tokens, 2);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(hex_of(keys[i]), to_hex(same[i]));
  refused(terrace_block_keys(&root_, tokens.data(), 7, 2, keys.data(), 2, &count, &error_),
          TERRACE_INVALID_ARGUMENT, "keys_max is 2: 7 tokens are 3 blocks of 2");
  refused(terrace_block_keys(&root_, tokens.data(), 7, 0, keys.data(), 3, &count, &error_),
          TERRACE_INVALID_ARGUMENT, "block_tokens is 0");
}

TEST_F(CApiKeys, a_growing_prompt_goes_on_from_its_last_family) {
  const std::vector<uint32_t> tokens{1, 2, 3, 4};
  const terrace_bytes extra[] = {{"image", 5}, {nullptr, 0}};
  terrace_key family = root_;
  PrefixHasher same(cpp_root_);
  ASSERT_EQ(terrace_next_family(&family, tokens.data(), 2, nullptr, 0, &family, &error_), TERRACE_OK);
  EXPECT_EQ(hex_of(family), to_hex(same.next(std::span(tokens).first(2))));
  ASSERT_EQ(terrace_next_family(&family, tokens.data() + 2, 2, extra, 2, &family, &error_), TERRACE_OK);
  const std::array<std::string_view, 2> views{"image", ""};
  EXPECT_EQ(hex_of(family), to_hex(same.next(std::span(tokens).last(2), views)));
  terrace_key key{};
  const terrace_member member{1, 0, 2};
  ASSERT_EQ(terrace_member_key(&family, &member, &key, &error_), TERRACE_OK);
  EXPECT_EQ(hex_of(key), to_hex(member_key(same.last(), {1, 0, 2})));
  ASSERT_EQ(terrace_member_key(&family, nullptr, &key, &error_), TERRACE_OK);
  EXPECT_EQ(hex_of(key), to_hex(member_key(same.last())));
  const terrace_bytes none[] = {{nullptr, 5}};
  refused(terrace_next_family(&family, tokens.data(), 2, none, 1, &family, &error_), TERRACE_INVALID_ARGUMENT,
          "extra.data is NULL");
  refused(terrace_next_family(&family, tokens.data(), SIZE_MAX, nullptr, 0, &family, &error_),
          TERRACE_LIMIT_EXCEEDED, "token_count");
}

TEST_F(CApiKeys, an_engines_digest_is_taken_when_it_is_long_and_strong) {
  const std::array<uint8_t, 16> digest{1, 2, 3};
  terrace_key family{};
  ASSERT_EQ(terrace_family_of_digest(&root_, digest.data(), 16, false, false, &family, &error_), TERRACE_OK);
  EXPECT_EQ(hex_of(family), to_hex(family_of_digest(cpp_root_, digest).value()));
  refused(terrace_family_of_digest(&root_, digest.data(), 15, false, false, &family, &error_),
          TERRACE_INVALID_ARGUMENT, "15 bytes");
  refused(terrace_family_of_digest(&root_, digest.data(), 16, true, false, &family, &error_),
          TERRACE_INVALID_ARGUMENT, "non-cryptographic");
  EXPECT_EQ(terrace_family_of_digest(&root_, digest.data(), 16, true, true, &family, &error_), TERRACE_OK);
}

TEST_F(CApiKeys, hexadecimal_digits_come_back) {
  terrace_key key{};
  ASSERT_EQ(terrace_key_from_hex(hex_of(root_).c_str(), &key, &error_), TERRACE_OK);
  EXPECT_EQ(std::memcmp(&key, &root_, sizeof key), 0);
  refused(terrace_key_from_hex("abc", &key, &error_), TERRACE_INVALID_ARGUMENT, "3 characters");
  char name[TERRACE_HEX_BYTES];
  ASSERT_EQ(terrace_tenant_name("salt", name, &error_), TERRACE_OK);
  EXPECT_EQ(tenant_name("salt"), static_cast<const char*>(name));
}

TEST_F(CApiKeys, a_field_that_is_too_long_is_named) {
  const std::string adapter(65'537, 'a');
  terrace_namespace fields = named();
  fields.adapter = adapter.c_str();
  terrace_key root{};
  refused(terrace_namespace_root(&fields, &root, &error_), TERRACE_LIMIT_EXCEEDED, "adapter");
}

}  // namespace
}  // namespace terrace::capi_tests
