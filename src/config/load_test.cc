#include "config/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace terrace::config {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kDisk = "tiers:\n  - disk: {paths: [/cache], capacity: 1GiB}\n";

Checked<Configuration> load_all(const std::string& yaml, const Environment& environment = {},
                                std::vector<std::string> sets = {}) {
  return load({read_yaml(yaml, "t.yaml"), read_environment(environment), read_flags(sets)});
}

std::vector<std::string> problems_of(const Checked<Configuration>& loaded) {
  std::vector<std::string> lines;
  if (loaded) return lines;
  for (const Problem& problem : loaded.error()) lines.push_back(to_string(problem));
  return lines;
}

TEST(Load, C1_file_environment_and_flags_in_rising_precedence) {
  const auto loaded = load_all(
      "l1:\n"
      "  budget: 64MiB\n"
      "  low_watermark: 0.5\n"
      "get: {timeout: 250ms}\n",
      {{"PATH", "/bin"},
       {"TERRACE_L1_BUDGET", "128 MiB"},
       {"TERRACE_GET_TIMEOUT", "1s"},
       {"TERRACE_LOG", "off"}},
      {"get.timeout=1.5s"});
  ASSERT_THAT(problems_of(loaded), IsEmpty());
  EXPECT_EQ(loaded->options.l1.budget, 128u << 20);
  EXPECT_EQ(loaded->options.l1.low_watermark, 0.5);
  EXPECT_EQ(loaded->options.get_timeout, std::chrono::milliseconds(1500));
  EXPECT_EQ(loaded->options.prefetch_hold, StoreOptions{}.prefetch_hold);
  EXPECT_THAT(loaded->origins,
              ElementsAre(std::pair("get.timeout", "--set"), std::pair("l1.budget", "TERRACE_L1_BUDGET"),
                          std::pair("l1.low_watermark", "t.yaml:3")));
}

// yaml-cpp makes documents of it without end.
TEST(Load, a_text_that_begins_with_a_comma_is_refused) {
  EXPECT_THAT(problems_of(load_all(", l1.budget: 1GiB\n")), ElementsAre(HasSubstr("t.yaml:1: ")));
}

// Aliases make more of a file than its bytes: what is made of them has bounds of its own (P12).
TEST(Load, aliases_of_something_large_are_refused_in_bounded_memory) {
  std::string keys = "tiers: [&t {", again, words = "{name: a, kind: mock, disk.paths: [&w ";
  for (int i = 0; i < 3000; ++i) keys += "k" + std::to_string(i) + ": 1, ";
  for (int i = 0; i < 3000; ++i) again += ", *t";
  words += std::string(100'000, 'x');
  for (int i = 0; i < 3000; ++i) words += ", *w";
  const auto many = problems_of(load_all(keys + "}" + again + "]"));
  EXPECT_THAT(many, Contains(HasSubstr("too much of it for a configuration")));
  EXPECT_LT(many.size(), 10'000u);
  EXPECT_THAT(problems_of(load_all("tiers: [" + words + "]}]")),
              ElementsAre(HasSubstr("too much of it for a configuration")));
}

TEST(Load, C1_tiers_from_all_three_sources) {
  const auto loaded = load_all(
      "tiers:\n"
      "  - name: fast\n"
      "    disk:\n"
      "      paths:\n"
      "        - /a\n"
      "        - file:///b\n"
      "      capacity: 1GiB\n"
      "      placement: by_rank\n"
      "    store_policy: on_evict\n",
      {{"TERRACE_TIERS_1_NAME", "far"},
       {"TERRACE_TIERS_1_KIND", "mock"},
       {"TERRACE_TIERS_1_MOCK_LATENCY", "2ms"},
       {"TERRACE_TIERS_0_DISK_PATHS", "/c,/d,/e"}},
      {"tiers[1].mock.capacity=1MiB"});
  ASSERT_THAT(problems_of(loaded), IsEmpty());
  ASSERT_THAT(loaded->options.tiers, SizeIs(2));
  const TierOptions& fast = loaded->options.tiers[0];
  EXPECT_THAT(fast.disk.paths, ElementsAre("/c", "/d", "/e"));
  EXPECT_EQ(fast.disk.placement, DiskPlacement::kByRank);
  EXPECT_EQ(fast.store_policy, "on_evict");
  const TierOptions& far = loaded->options.tiers[1];
  EXPECT_EQ(far.name, "far");
  EXPECT_EQ(far.kind, TierOptions::Kind::kMock);
  EXPECT_EQ(far.mock.capacity, 1u << 20);
  EXPECT_EQ(far.mock.latency, std::chrono::milliseconds(2));
}

TEST(Load, an_empty_file_is_all_defaults) {
  for (const char* text : {"", "# nothing\n", "---\n", "l1:\n", "l1: {}\ntiers: []\n"}) {
    const auto loaded = load_all(text);
    ASSERT_THAT(problems_of(loaded), IsEmpty()) << text;
    EXPECT_THAT(loaded->origins, IsEmpty());
  }
}

TEST(Load, a_dotted_key_at_the_top_means_the_same) {
  EXPECT_EQ(load_all("l1.budget: 8MiB\n")->options.l1.budget, 8u << 20);
}

TEST(Load, C1_all_problems_are_told_with_key_value_range_and_line) {
  const auto lines =
      problems_of(load_all("l1:\n"
                           "  budget: 8 potatoes\n"
                           "  low_watermark: 1.5\n"
                           "  eviction: mru\n"
                           "  budgt: 1GiB\n"
                           "get:\n"
                           "  timeout: 5\n"
                           "lookup.history: -1\n"
                           "prefetch.hold:\n",
                           {{"TERRACE_L1_MODE", "both"}, {"TERRACE_L1_BUDGETT", "1"}},
                           {"tiers[0].disk.require_all_paths=perhaps", "x"}));
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr("t.yaml:2: l1.budget: '8 potatoes' is not a size"),
                                    HasSubstr("GiB"), HasSubstr("4MiB or more"))));
  EXPECT_THAT(lines, Contains("t.yaml:3: l1.low_watermark: '1.5' is not allowed: 0 to 1"));
  EXPECT_THAT(lines, Contains(HasSubstr("t.yaml:4: l1.eviction: 'mru' is not allowed: lru, noop")));
  EXPECT_THAT(lines, Contains("t.yaml:5: l1.budgt: there is no such key; did you mean l1.budget?"));
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr("t.yaml:7: get.timeout: '5' is not a time"), HasSubstr("ms"))));
  EXPECT_THAT(lines,
              Contains(HasSubstr("t.yaml:8: lookup.history: '-1' is not a whole number; allowed: 0 to")));
  EXPECT_THAT(lines, Contains("t.yaml:9: prefetch.hold: it has no value"));
  EXPECT_THAT(lines,
              Contains(HasSubstr("TERRACE_L1_MODE: l1.mode: 'both' is not allowed: cache, staging, off")));
  EXPECT_THAT(lines,
              Contains(HasSubstr("TERRACE_L1_BUDGETT: no key has this environment variable; did you mean "
                                 "TERRACE_L1_BUDGET?")));
  EXPECT_THAT(lines, Contains("--set: tiers[0].disk.require_all_paths: 'perhaps' is neither true nor false; "
                              "allowed: true, false"));
  EXPECT_THAT(lines, Contains("--set: x: write KEY=VALUE, such as l1.budget=8GiB"));
  EXPECT_THAT(lines, SizeIs(11));
}

TEST(Load, C1_a_key_given_twice_is_refused) {
  EXPECT_THAT(problems_of(load_all("l1:\n  budget: 8MiB\n  budget: 9MiB\n")),
              ElementsAre("t.yaml:3: l1.budget: given twice, first at t.yaml:2"));
  EXPECT_THAT(problems_of(load_all("l1:\n  budget: 8MiB\nl1.budget: 9MiB\n")),
              ElementsAre("t.yaml:3: l1.budget: given twice, first at t.yaml:2"));
  EXPECT_THAT(problems_of(load_all("", {}, {"l1.budget=8MiB", "l1.budget=9MiB"})), SizeIs(1));
}

TEST(Load, wrong_shapes_are_refused) {
  EXPECT_THAT(problems_of(load_all("l1: 8GiB\n")), Contains(HasSubstr("l1: takes a section with keys")));
  EXPECT_THAT(problems_of(load_all("l1: {budget: [1GiB, 2GiB]}\n")), Contains(HasSubstr("not a list")));
  EXPECT_THAT(problems_of(load_all("l1: {budget: {least: 1}}\n")), Contains(HasSubstr("not a section")));
  EXPECT_THAT(problems_of(load_all("tiers: {name: a}\n")), Contains(HasSubstr("tiers.name")));
  EXPECT_THAT(problems_of(load_all("tiers: fast\n")), Contains(HasSubstr("a list of tiers")));
  EXPECT_THAT(problems_of(load_all("tiers:\n  - \n  - fast\n")), SizeIs(2));
  EXPECT_THAT(problems_of(load_all("tiers:\n  - disk: {paths: [[a]], capacity: 1GiB}\n")), SizeIs(1));
  EXPECT_THAT(problems_of(load_all("just words\n")), Contains(HasSubstr("t.yaml:1")));
  EXPECT_THAT(problems_of(load_all("- a\n")), SizeIs(1));
  EXPECT_THAT(problems_of(load_all("? [a, b]\n: 1\n")), Contains(HasSubstr("a key is a word")));
  EXPECT_THAT(problems_of(load_all("l1: {}\n---\nl1: {}\n")), Contains(HasSubstr("second document")));
  EXPECT_THAT(problems_of(load_all("l1: {budget: 1GiB\nget: {")), Contains(HasSubstr("not YAML")));
  EXPECT_THAT(problems_of(load_all("l1: &a {budget: 8MiB}\nl1: *b\n")), Contains(HasSubstr("not YAML")));
  EXPECT_THAT(problems_of(load_all(std::string(100'000, '['))), SizeIs(1));
}

TEST(Load, C1_tiers_are_counted_without_gaps) {
  EXPECT_THAT(problems_of(load_all(kDisk, {{"TERRACE_TIERS_2_NAME", "far"}})),
              ElementsAre("TERRACE_TIERS_2_NAME: tiers[2].name: the next tier is tiers[1]"));
  EXPECT_THAT(problems_of(load_all("", {}, {"tiers[4000000000].name=x"})),
              Contains(HasSubstr("at most 7 tiers")));
}

TEST(Load, keys_of_another_kind_of_tier_are_refused) {
  EXPECT_THAT(problems_of(load_all(kDisk, {}, {"tiers[0].mock.latency=1ms"})),
              ElementsAre(AllOf(HasSubstr("--set: tiers[0].mock.latency"), HasSubstr("disk tier"))));
}

TEST(Load, what_a_disk_tier_would_refuse_at_open_is_refused) {
  EXPECT_THAT(problems_of(load_all("tiers:\n  - name: a\n")),
              ElementsAre(HasSubstr("tiers[0].disk.paths"), HasSubstr("tiers[0].disk.capacity")));
  EXPECT_THAT(problems_of(load_all(kDisk, {}, {"tiers[0].disk.capacity=1MiB"})),
              ElementsAre(AllOf(HasSubstr("--set: tiers[0].disk.capacity: "), HasSubstr("too small"))));
  EXPECT_THAT(problems_of(load_all(kDisk, {}, {"tiers[0].disk.paths=/a,/a"})),
              ElementsAre(AllOf(HasSubstr("--set: tiers[0].disk.paths: "), HasSubstr("named twice"))));
}

TEST(Load, M5_what_the_options_refuse_is_told_with_its_key_and_place) {
  EXPECT_THAT(problems_of(load_all("l1:\n  budget: 900TiB\n")),
              ElementsAre(AllOf(HasSubstr("t.yaml:2: l1.budget: "), HasSubstr("this machine's memory"))));
  EXPECT_THAT(
      problems_of(load_all("l1: {mode: staging}\n" + std::string(kDisk) + "    store_policy: on_evict\n")),
      ElementsAre(AllOf(HasSubstr("t.yaml:4: tiers[0].store_policy: "), HasSubstr("would be lost"))));
}

TEST(Load, C1_the_server_section_from_all_three_sources) {
  const auto loaded =
      load_all("server: {socket: /run/kv/socket, also_allow: [1000, 1001]}\n",
               {{"TERRACE_SERVER_SOCKET", "/run/other/socket"}}, {"server.also_allow=0,4294967294"});
  ASSERT_THAT(problems_of(loaded), IsEmpty());
  EXPECT_EQ(loaded->server.socket, "/run/other/socket");
  EXPECT_THAT(loaded->server.also_allow, ElementsAre(0, 4294967294));
  const auto nobody = load_all("server.also_allow: [1000]\n", {{"TERRACE_SERVER_ALSO_ALLOW", ""}});
  ASSERT_THAT(problems_of(nobody), IsEmpty());
  EXPECT_THAT(nobody->server.also_allow, IsEmpty());
}

TEST(Load, users_that_are_no_numbers_and_a_long_socket_are_refused) {
  EXPECT_THAT(
      problems_of(load_all("server: {also_allow: [1000, alice]}\n")),
      ElementsAre("t.yaml:1: server.also_allow: 'alice' is not a whole number; allowed: 0 to 4294967294"));
  EXPECT_THAT(problems_of(load_all("", {}, {"server.also_allow=1000,4294967295"})),
              ElementsAre("--set: server.also_allow: '1000,4294967295' is not allowed: 0 to 4294967294"));
  EXPECT_THAT(problems_of(load_all("server.socket: /" + std::string(107, 's') + "\n")),
              ElementsAre(AllOf(HasSubstr("t.yaml:1: server.socket: '/sss"),
                                HasSubstr("has 108 bytes; a socket's path has 1 to 107"))));
}

TEST(Load, M5_what_is_probably_not_meant_is_a_warning) {
  const auto loaded = load_all("l1: {eviction: noop}\n");
  ASSERT_THAT(problems_of(loaded), IsEmpty());
  EXPECT_THAT(loaded->warnings, ElementsAre(HasSubstr("noop")));
}

TEST(Load, a_file_that_cannot_be_read_is_a_problem) {
  EXPECT_THAT(problems_of(load(Sources{.file = "/nowhere/t.yaml"})),
              ElementsAre("/nowhere/t.yaml: No such file or directory"));
  EXPECT_THAT(problems_of(load(Sources{.file = "/"})), ElementsAre("/: Is a directory"));
}

}  // namespace
}  // namespace terrace::config
