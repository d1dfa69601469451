// K2: every form of key against testdata/golden_keys.json, which an independent implementation
// (make_golden.py) wrote.
#include <terrace/key.h>

#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace terrace {
namespace {

using Json = nlohmann::json;

Json golden(const char* section) {
  std::ifstream file(TERRACE_KEY_TESTDATA "/golden_keys.json");
  EXPECT_TRUE(file.good()) << TERRACE_KEY_TESTDATA;
  return Json::parse(file).at(section);
}

std::string bytes_of(const Json& hex) {
  const auto text = hex.get<std::string>();
  std::string bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2)
    bytes += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
  return bytes;
}

std::string text_of(const Json& item) {
  return item.get<std::string>();
}
Key key_of(const Json& hex) {
  return key_from_hex(text_of(hex)).value();
}

template <class T>
std::optional<T> field(const Json& fields, const char* name) {
  if (!fields.contains(name)) return std::nullopt;
  return fields.at(name).get<T>();
}

TEST(GoldenKeys, K2_namespace_roots) {
  for (const Json& item : golden("namespaces")) {
    const Json& fields = item.at("fields");
    const Namespace given{.model_id = field<std::string>(fields, "model_id"),
                          .model_fingerprint = field<std::string>(fields, "model_fingerprint"),
                          .kv_dtype = field<std::string>(fields, "kv_dtype"),
                          .layout_id = field<std::string>(fields, "layout_id"),
                          .block_tokens = field<uint32_t>(fields, "block_tokens"),
                          .producer = field<std::string>(fields, "producer"),
                          .producer_version = field<uint32_t>(fields, "producer_version"),
                          .adapter = field<std::string>(fields, "adapter"),
                          .tenant_salt = field<std::string>(fields, "tenant_salt"),
                          .groups = field<uint32_t>(fields, "groups")};
    EXPECT_EQ(to_hex(namespace_root(given).value()), text_of(item.at("root"))) << item.at("name");
  }
}

TEST(GoldenKeys, K2_chains) {
  for (const Json& item : golden("chains")) {
    PrefixHasher hasher(key_of(item.at("root")));
    for (const Json& block : item.at("blocks")) {
      std::vector<std::string> extra;
      for (const Json& hex : block.at("extra")) extra.push_back(bytes_of(hex));
      const std::vector<std::string_view> views(extra.begin(), extra.end());
      const auto tokens = block.at("tokens").get<std::vector<uint32_t>>();
      EXPECT_EQ(to_hex(hasher.next(tokens, views)), text_of(block.at("family"))) << item.at("name");
    }
  }
}

TEST(GoldenKeys, K2_digests_of_engines) {
  for (const Json& item : golden("digests")) {
    const std::string bytes = bytes_of(item.at("digest"));
    const std::vector<uint8_t> digest(bytes.begin(), bytes.end());
    EXPECT_EQ(to_hex(family_of_digest(key_of(item.at("root")), digest).value()), text_of(item.at("family")));
  }
}

TEST(GoldenKeys, K2_members) {
  for (const Json& item : golden("members")) {
    const Member member{item.at("group").get<uint32_t>(), item.at("shard").get<uint32_t>(),
                        item.at("shards").get<uint32_t>()};
    EXPECT_EQ(to_hex(member_key(key_of(item.at("family")), member)), text_of(item.at("key")));
  }
}

TEST(GoldenKeys, K2_member_keys_of_whole_blocks) {
  for (const Json& item : golden("block_keys")) {
    const auto tokens = item.at("tokens").get<std::vector<uint32_t>>();
    const auto keys = block_keys(key_of(item.at("root")), tokens, item.at("block_tokens").get<uint32_t>());
    ASSERT_EQ(keys.size(), item.at("keys").size());
    for (size_t i = 0; i < keys.size(); ++i) EXPECT_EQ(to_hex(keys[i]), text_of(item.at("keys").at(i)));
  }
}

}  // namespace
}  // namespace terrace
