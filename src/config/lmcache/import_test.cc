#include "config/lmcache/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/load.h"

namespace terrace::config::lmcache {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr uint64_t kTenGiB = 10ull << 30;

Import import_of(Form form, std::string_view text) {
  return translate(form, read_options(form, text, "lm"), kTenGiB);
}

// What a store would be opened with; fails the test when the result is not a configuration.
StoreOptions options_of(const Import& import) {
  for (const Problem& problem : import.problems) ADD_FAILURE() << to_string(problem);
  const std::string yaml = to_yaml(import, "test");
  const auto loaded = load({read_yaml(yaml, "terrace.yaml")});
  if (loaded) return loaded->options;
  for (const Problem& problem : loaded.error()) ADD_FAILURE() << to_string(problem) << "\n" << yaml;
  return {};
}

std::vector<std::string> left_in(const Import& import) {
  std::vector<std::string> lines;
  for (const Left& left : import.left) {
    lines.push_back(left.option.name + " " + left.option.value + ": " + left.reason);
  }
  return lines;
}

TEST(Import, C2_memory_and_disk_of_a_YAML_file) {
  const Import import = import_of(Form::kYaml,
                                  "chunk_size: 256\n"
                                  "local_cpu: True\n"
                                  "max_local_cpu_size: 0.5\n"
                                  "local_disk: \"file:///fast0/kv/, /fast1/kv\"\n"
                                  "local_disk_path_sharding: by_gpu\n"
                                  "max_local_disk_size: 40.25\n"
                                  "cache_policy: LRU\n"
                                  "blocking_timeout_secs: 10\n"
                                  "lookup_timeout_ms: 3000\n");
  const StoreOptions options = options_of(import);
  EXPECT_EQ(options.l1.budget, 512ull << 20) << "its GB are GiB";
  EXPECT_EQ(options.l1.mode, L1Mode::kCache);
  EXPECT_EQ(options.l1.eviction, "lru");
  ASSERT_THAT(options.tiers, SizeIs(1));
  EXPECT_THAT(options.tiers[0].disk.paths, ElementsAre("/fast0/kv/", "/fast1/kv"));
  EXPECT_EQ(options.tiers[0].disk.capacity, 41216ull << 20);
  EXPECT_EQ(options.tiers[0].disk.placement, DiskPlacement::kByRank);
  EXPECT_EQ(options.get_timeout, std::chrono::seconds(10));
  EXPECT_EQ(options.lookup_timeout, std::chrono::seconds(3));
  EXPECT_THAT(left_in(import), ElementsAre(AllOf(HasSubstr("chunk_size 256"), HasSubstr("block_tokens"))));
}

TEST(Import, C2_a_list_of_disks_and_no_memory_cache) {
  const StoreOptions options =
      options_of(import_of(Form::kYaml,
                           "use_only_staging_buffer: true\nlocal_cpu: true\nmax_local_cpu_size: 1\n"
                           "local_disk: [/a, /b]\nmax_local_disk_size: 1\n"));
  EXPECT_EQ(options.l1.mode, L1Mode::kStaging);
  EXPECT_THAT(options.tiers[0].disk.paths, ElementsAre("/a", "/b"));
  EXPECT_EQ(options_of(import_of(Form::kYaml, "local_cpu: false\nmax_local_cpu_size: 1\n")).l1.mode,
            L1Mode::kStaging);
}

TEST(Import, aliases_of_a_large_text_make_no_endless_list) {
  std::string text = "local_disk: [&a " + std::string(100'000, 'x');
  for (int i = 0; i < 3000; ++i) text += ", *a";
  const OptionList list = read_yaml_options(text + "]", "lm");
  ASSERT_THAT(list.options, SizeIs(1));
  EXPECT_LT(list.options[0].value.size(), 2u << 20);
}

TEST(Import, C2_environment_variables) {
  const StoreOptions options = options_of(import_of(Form::kEnvironment,
                                                    "PATH=/bin\n"
                                                    "export LMCACHE_LOCAL_CPU=True\n"
                                                    "LMCACHE_MAX_LOCAL_CPU_SIZE=\"1.0\"\n"
                                                    "LMCACHE_LOCAL_DISK='file:///kv'\n"
                                                    "LMCACHE_MAX_LOCAL_DISK_SIZE=5\n"));
  EXPECT_EQ(options.l1.budget, 1ull << 30);
  ASSERT_THAT(options.tiers, SizeIs(1));
  EXPECT_THAT(options.tiers[0].disk.paths, ElementsAre("/kv"));
}

TEST(Import, C2_flags_of_the_server) {
  const Import import =
      import_of(Form::kFlags,
                "lmcache server --host 0.0.0.0 --l1-size-gb 1 --chunk-size=256 \\\n"
                "  --eviction-policy IsolatedLRU --eviction-trigger-watermark 0.8 --eviction-ratio 0.25 \\\n"
                "  --l2-store-policy skip_l1 --l2-prefetch-policy retain --l2-prefetch-max-in-flight 8 \\\n"
                "  --l2-adapter '{\"type\": \"fs\", \"base_path\": \"/kv\", \"use_odirect\": true}' \\\n"
                "  --l2-adapter '{\"type\": \"mock\", \"max_size_gb\": 2, \"mock_bandwidth_gb\": 0.5}' \\\n"
                "  --l2-adapter '{\"type\": \"resp\", \"host\": \"cache\", \"port\": 6379}' --verbose\n");
  const StoreOptions options = options_of(import);
  EXPECT_EQ(options.l1.budget, 1ull << 30);
  EXPECT_EQ(options.l1.high_watermark, 0.8);
  EXPECT_EQ(options.l1.low_watermark, 0.6);
  EXPECT_EQ(options.prefetch_policy, PrefetchPolicy::kRetain);
  ASSERT_THAT(options.tiers, SizeIs(2));
  EXPECT_EQ(options.tiers[0].name, "fs");
  EXPECT_EQ(options.tiers[0].store_policy, "skip_l1");
  EXPECT_EQ(options.tiers[0].disk.capacity, kTenGiB) << "the capacity asked for where there is no limit";
  EXPECT_EQ(options.tiers[1].kind, TierOptions::Kind::kMock);
  EXPECT_EQ(options.tiers[1].mock.capacity, 2ull << 30);
  EXPECT_EQ(options.tiers[1].mock.bytes_per_second, 512ull << 20);
  const auto left = left_in(import);
  EXPECT_THAT(left, Contains(HasSubstr("--eviction-policy IsolatedLRU: this policy is not built: lru")));
  EXPECT_THAT(left, Contains(HasSubstr("--l2-adapter fs without a limit")));
  EXPECT_THAT(left, Contains(HasSubstr("--l2-adapter fs.use_odirect true")));
  EXPECT_THAT(left, Contains(AllOf(HasSubstr("--l2-adapter resp"), HasSubstr("not built yet"))));
  EXPECT_THAT(left, Contains(HasSubstr("--host 0.0.0.0: there is no server")));
  EXPECT_THAT(left, Contains(HasSubstr("--verbose true: the import does not know")));
  EXPECT_THAT(left, Contains(HasSubstr("--l2-prefetch-max-in-flight 8: ")));
  EXPECT_THAT(left, SizeIs(8)) << "and the chunk size";
}

TEST(Import, two_adapters_of_a_type_get_two_names) {
  const StoreOptions options = options_of(
      import_of(Form::kFlags,
                "--l2-adapter '{\"type\":\"mock\"}' --l2-adapter '{\"type\":\"mock\"}' "
                "--l2-adapter '{\"type\":\"fs_native\",\"base_path\":\"/x\",\"max_capacity_gb\":3}'"));
  ASSERT_THAT(options.tiers, SizeIs(3));
  EXPECT_EQ(options.tiers[0].name, "mock");
  EXPECT_EQ(options.tiers[1].name, "mock-2");
  EXPECT_EQ(options.tiers[2].disk.capacity, 3ull << 30);
}

TEST(Import, C2_what_has_no_equivalent_is_named_with_the_reason) {
  const Import import = import_of(Form::kYaml,
                                  "max_local_cpu_size: 1\n"
                                  "remote_url: redis://user:hunter2@cache:6379\n"
                                  "remote_serde: naive\n"
                                  "cache_policy: LFU\n"
                                  "enable_p2p: true\n"
                                  "p2p_host: node1\n"
                                  "pin_timeout_sec: 60\n"
                                  "max_local_disk_size: 5\n"
                                  "extra_config:\n"
                                  "  s3_secret: hunter2\n"
                                  "  depth: {x: 1}\n"
                                  "made_up: 1\n");
  EXPECT_EQ(options_of(import).l1.eviction, "lru");
  const auto left = left_in(import);
  EXPECT_THAT(left, Contains(HasSubstr("remote_url redis://***@cache:6379: tiers on other machines")));
  EXPECT_THAT(left, Contains(HasSubstr("remote_serde naive: tiers on other machines")));
  EXPECT_THAT(left, Contains(HasSubstr("cache_policy LFU: this policy is not built: lru is used")));
  EXPECT_THAT(left, Contains(HasSubstr("p2p_host node1: exchange between nodes")));
  EXPECT_THAT(left, Contains(HasSubstr("pin_timeout_sec 60: ")));
  EXPECT_THAT(left, Contains(HasSubstr("max_local_disk_size 5: without local_disk")));
  EXPECT_THAT(left, Contains(HasSubstr("extra_config.s3_secret ***: ")));
  EXPECT_THAT(left, Contains(HasSubstr("extra_config.depth.x 1: ")));
  EXPECT_THAT(left, Contains(HasSubstr("made_up 1: the import does not know this option")));
  EXPECT_THAT(left, SizeIs(10));
  const std::string yaml = to_yaml(import, "test");
  EXPECT_THAT(yaml, HasSubstr("#   remote_serde naive\n"));
  EXPECT_THAT(yaml, Not(HasSubstr("hunter2")));
}

TEST(Import, the_default_of_LMCache_is_written_out) {
  const Import import = import_of(Form::kYaml, "local_cpu: true\n");
  ASSERT_THAT(import.carried, SizeIs(2));
  EXPECT_EQ(import.carried[1].setting.key, "l1.budget");
  EXPECT_THAT(import.carried[1].setting.texts, ElementsAre("5GiB"));
}

TEST(Import, values_that_cannot_be_read_are_problems_with_their_line) {
  const Import import = import_of(Form::kYaml, "max_local_cpu_size: lots\nlocal_cpu: perhaps\n");
  std::vector<std::string> lines;
  for (const Problem& problem : import.problems) lines.push_back(to_string(problem));
  EXPECT_THAT(lines, ElementsAre("lm:2: local_cpu: 'perhaps' is neither true nor false",
                                 "lm:1: max_local_cpu_size: 'lots' is not a number of gigabytes"));
  EXPECT_THAT(import_of(Form::kYaml, "a: [").problems, SizeIs(1));
  EXPECT_THAT(import_of(Form::kYaml, "words").problems, SizeIs(1));
  EXPECT_THAT(import_of(Form::kFlags, "--l2-adapter fs").problems, SizeIs(1));
  EXPECT_THAT(import_of(Form::kFlags, "--l2-adapter '{\"type\":\"fs\"}'").problems, SizeIs(1));
  EXPECT_THAT(import_of(Form::kFlags, "--eviction-ratio 5").problems, SizeIs(1));
  EXPECT_THAT(import_of(Form::kFlags, "--host a b").problems, SizeIs(1));
}

TEST(Import, guesses_the_form) {
  EXPECT_EQ(guess_form("# comment\nchunk_size: 256\n"), Form::kYaml);
  EXPECT_EQ(guess_form("---\nchunk_size: 256\n"), Form::kYaml);
  EXPECT_EQ(guess_form("PATH=/bin\nLMCACHE_LOCAL_CPU=True\n"), Form::kEnvironment);
  EXPECT_EQ(guess_form("lmcache server \\\n --l1-size-gb 5\n"), Form::kFlags);
}

TEST(Import, splits_words_as_a_shell_does) {
  EXPECT_THAT(split_words(" a  'b c' \"d \\\"e\" f\\ g \\\n h''i ''"),
              ElementsAre("a", "b c", "d \"e", "f g", "hi", ""));
  EXPECT_THAT(split_words(""), IsEmpty());
}

}  // namespace
}  // namespace terrace::config::lmcache
