#include "config/yaml_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace terrace::config {
namespace {

TEST(YamlWriter, writes_sections_in_the_order_of_the_schema_and_reads_them_back) {
  const std::vector<Setting> settings{
      {"prefetch.hold", {"5s"}, false, ""},
      {"tiers[1].name", {"far"}, false, ""},
      {"tiers[0].disk.capacity", {"1GiB"}, false, ""},
      {"tiers[0].disk.paths", {"/a b", "/c#d\"e\\", "null"}, true, ""},
      {"l1.budget", {"8GiB"}, false, ""},
      {"tiers[1].mock.latency", {"1ms"}, false, ""},
      {"tiers[1].kind", {"mock"}, false, ""},
      {"l1.mode", {"off"}, false, ""},
  };
  std::vector<Line> lines;
  for (const Setting& setting : settings)
    lines.push_back({&setting, setting.key == "l1.budget" ? "why" : ""});
  const std::string text = write_yaml(lines);
  EXPECT_EQ(text,
            "l1:\n"
            "  budget: 8GiB  # why\n"
            "  mode: off\n"
            "tiers:\n"
            "  - disk:\n"
            "      paths: [\"/a b\", \"/c#d\\\"e\\\\\", \"null\"]\n"
            "      capacity: 1GiB\n"
            "  - name: far\n"
            "    kind: mock\n"
            "    mock:\n"
            "      latency: 1ms\n"
            "prefetch:\n"
            "  hold: 5s\n");
  const Source back = read_yaml(text, "t.yaml");
  EXPECT_TRUE(back.problems.empty());
  ASSERT_EQ(back.settings.size(), settings.size());
  for (const Setting& setting : settings) {
    const auto same = [&](const Setting& other) { return other.key == setting.key; };
    const auto found = std::find_if(back.settings.begin(), back.settings.end(), same);
    ASSERT_NE(found, back.settings.end()) << setting.key;
    EXPECT_EQ(found->texts, setting.texts) << setting.key;
    EXPECT_EQ(found->list, setting.list) << setting.key;
  }
}

TEST(YamlWriter, quotes_what_YAML_would_read_as_something_else) {
  for (const std::string text :
       {"",   "-", "- a", "a: b", "~", "null", "a\nb", "\"", "\\", "#", "x y",  "*a",
        "&a", "{", "[a]", "%",    "@", "'",    "é",    "!t", "|",  ">", "true", "1.5"}) {
    const Setting setting{"tiers[0].name", {text}, false, ""};
    const Source back = read_yaml(write_yaml(std::vector<Line>{{&setting, ""}}), "t.yaml");
    ASSERT_EQ(back.settings.size(), 1u) << text;
    EXPECT_EQ(back.settings[0].texts.front(), text);
  }
}

}  // namespace
}  // namespace terrace::config
