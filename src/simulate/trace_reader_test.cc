#include "simulate/trace_reader.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace terrace::simulate {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

class TraceReader : public ::testing::Test {
 protected:
  TraceReader() {
    std::string name = (std::filesystem::temp_directory_path() / "terrace-trace-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~TraceReader() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name, std::string_view text) {
    const auto path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }
  std::string complaint(std::string_view format, const std::string& path) {
    const auto read = read_trace(format, path, {});
    return read ? "read without complaint" : read.error().message;
  }
  std::filesystem::path folder_;
};

TEST_F(TraceReader, reads_mooncake_lines) {
  const auto trace =
      read_trace("mooncake", file("a", R"({"timestamp": 0, "input_length": 9, "hash_ids": [0, 1]}

{"timestamp": 1500, "hash_ids": [0, 2]}
)"),
                 {});
  ASSERT_TRUE(trace) << trace.error().message;
  EXPECT_THAT(trace->accesses, ElementsAre(0, 1, 0, 2));
  EXPECT_EQ(trace->duration(), 1'500'000'000u);
  EXPECT_EQ(trace->block_tokens, 512u);
}

TEST_F(TraceReader, reads_its_own_lines) {
  const auto trace = read_trace("terrace", file("a", R"({"seconds": 0.5, "blocks": [7, 8], "block_tokens": 16}
{"seconds": 2, "blocks": [7], "namespace": "other"})"),
                                {});
  ASSERT_TRUE(trace) << trace.error().message;
  EXPECT_EQ(trace->unique_blocks(), 3u);
  EXPECT_EQ(trace->duration(), 1'500'000'000u);
  EXPECT_EQ(trace->block_tokens, 16u);
}

TEST_F(TraceReader, begins_coding_agent_sessions_one_interval_after_the_other) {
  file("s/b.json", R"({"block_size": 64, "requests": [{"t": 1, "model": "m", "hash_ids": [1]}]})");
  file("s/a.json", R"({"block_size": 64, "requests": [
    {"t": 0, "model": "m", "hash_ids": [1, 2]},
    {"t": 7, "requests": [{"t": 2, "model": "other", "hash_ids": [1]}]}]})");
  const auto trace =
      read_trace("coding-agent", (folder_ / "s").string(), {.session_interval = 10'000'000'000});
  ASSERT_TRUE(trace) << trace.error().message;
  ASSERT_EQ(trace->requests.size(), 3u);
  EXPECT_EQ(trace->requests[1].time, 9'000'000'000u) << "the sub-agent's, in its parent's time";
  EXPECT_EQ(trace->requests[2].time, 11'000'000'000u);
  EXPECT_EQ(trace->unique_blocks(), 4u) << "ids are local to file and model";
  EXPECT_EQ(trace->block_tokens, 64u);
}

TEST_F(TraceReader, complains_with_file_line_and_reason) {
  const auto says = [&](std::string_view line, std::string_view reason) {
    const std::string path =
        file("bad", std::string(R"({"timestamp": 0, "hash_ids": [0]})") + "\n" + line.data());
    EXPECT_THAT(complaint("mooncake", path), HasSubstr(path + ":2: " + reason.data()));
  };
  says("{\"timestamp\": 1", "not JSON from byte 16 on");
  says("[1]", "array where a JSON object belongs");
  says("{}", "no \"timestamp\"");
  says(R"({"timestamp": "x", "hash_ids": [0]})", "\"timestamp\" is \"x\", not a time");
  says(R"({"timestamp": -1, "hash_ids": [0]})", "\"timestamp\" is -1, not a time");
  says(R"({"timestamp": 1})", "no \"hash_ids\"");
  says(R"({"timestamp": 1, "hash_ids": 3})", "\"hash_ids\" is no list");
  says(R"({"timestamp": 1, "hash_ids": [0, -3]})", "\"hash_ids\"[1] is -3");
  says(R"({"timestamp": 1, "hash_ids": [5, 0]})", "block 0 (position 1)");
}

TEST_F(TraceReader, complains_about_a_session_s_request_by_its_place) {
  const std::string path = file("s.json", R"({"requests": [{"t": 0, "requests": [{"t": 0}]}]})");
  EXPECT_THAT(complaint("coding-agent", path), EndsWith("s.json: requests[0].requests[0]: no \"hash_ids\""));
  EXPECT_THAT(complaint("coding-agent", file("t.json", "{}")), EndsWith("requests: no list of requests"));
}

TEST_F(TraceReader, does_not_recurse_into_a_value_it_complains_about) {
  std::string deep(200'000, '[');
  deep.append(deep.size(), ']');
  EXPECT_THAT(complaint("mooncake", file("a", R"({"timestamp": )" + deep + "}")),
              HasSubstr("\"timestamp\" is array, not a time"));
  EXPECT_THAT(complaint("mooncake", file("b", R"({"timestamp": 0, "hash_ids": [)" + deep + "]}")),
              HasSubstr("\"hash_ids\"[0] is array, not a whole number"));
}

TEST_F(TraceReader, times_of_nested_sub_agents_do_not_wrap_round) {
  const std::string path = file("s.json", R"({"requests": [{"t": 9e9, "requests": [{"t": 9e9, "requests": [
        {"t": 9e9, "hash_ids": [1]}]}]}]})");
  EXPECT_THAT(complaint("coding-agent", path), EndsWith("requests[0].requests[0]: later than 285 years"));
  file("t/a.json", R"({"requests": [{"t": 0, "hash_ids": [1]}]})");
  file("t/b.json", R"({"requests": [{"t": 0, "hash_ids": [1]}]})");
  const auto read = read_trace("coding-agent", (folder_ / "t").string(), {.session_interval = UINT64_MAX});
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, EndsWith("b.json: the session begins later than 285 years"));
}

TEST_F(TraceReader, block_sizes_are_not_cut_to_32_bits) {
  const std::string path =
      file("s.json", R"({"block_size": 4294967360, "requests": [{"t": 0, "hash_ids": [1]}]})");
  EXPECT_THAT(complaint("coding-agent", path), HasSubstr("blocks of 4294967360 tokens; at most 1048576"));
}

TEST_F(TraceReader, complains_about_bad_lines_of_its_own) {
  EXPECT_THAT(complaint("terrace", file("a", R"({"seconds": 0, "blocks": [1], "namespace": 3})")),
              EndsWith(":1: \"namespace\" is no text"));
  EXPECT_THAT(complaint("terrace", file("b", R"({"seconds": 0, "blocks": [1], "block_tokens": 0})")),
              HasSubstr(":1: \"block_tokens\" is no whole number"));
}

TEST_F(TraceReader, names_what_is_missing_or_empty) {
  const std::string missing = (folder_ / "missing").string();
  for (const auto format : trace_formats()) {
    EXPECT_EQ(complaint(format, missing), missing + ": cannot read the trace: No such file or directory");
  }
  EXPECT_THAT(complaint("mooncake", file("empty", "\n")), EndsWith("empty: no request with a block in it"));
  EXPECT_THAT(complaint("mooncake", folder_.string()), HasSubstr("Is a directory"));
  std::filesystem::create_directories(folder_ / "none");
  EXPECT_THAT(complaint("coding-agent", (folder_ / "none").string()), HasSubstr("no .json file"));
  EXPECT_EQ(complaint("csv", missing),
            "'csv' is not a trace format; allowed are: mooncake, coding-agent, terrace");
}

}  // namespace
}  // namespace terrace::simulate
