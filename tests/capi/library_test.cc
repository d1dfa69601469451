// What libterrace.so shows to programs: the functions of its header, all of them, and nothing else.
#include <array>
#include <cstdio>
#include <fstream>
#include <memory>
#include <regex>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <terrace/terrace.h>

namespace terrace::capi_tests {
namespace {

std::set<std::string> exported() {
  const std::string command = "nm -D --defined-only " TERRACE_LIBRARY;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> listed(::popen(command.c_str(), "r"), &::pclose);
  std::set<std::string> names;
  std::array<char, 4096> line;
  while (std::fgets(line.data(), line.size(), listed.get()) != nullptr) {
    std::string name = line.data();  // "ADDRESS T NAME"
    name.erase(name.find_last_not_of('\n') + 1);
    names.insert(name.substr(name.rfind(' ') + 1));
  }
  return names;
}

std::set<std::string> declared() {
  std::ifstream file(TERRACE_HEADER);
  std::set<std::string> names;
  const std::regex function("^[a-z].*\\b(terrace_[a-z_]+)\\(");
  std::smatch found;
  for (std::string line; std::getline(file, line);) {
    if (std::regex_search(line, found, function)) names.insert(found[1]);
  }
  return names;
}

TEST(CApiLibrary, it_exports_the_functions_of_its_header_and_nothing_else) {
  const auto functions = declared();
  EXPECT_GT(functions.size(), 50u);
  EXPECT_EQ(exported(), functions);
}

TEST(CApiLibrary, it_says_its_version) {
  EXPECT_EQ(terrace_abi_version(), static_cast<uint32_t>(TERRACE_ABI_VERSION));
  EXPECT_EQ(terrace_abi_version() >> 16, 1u);
  EXPECT_THAT(terrace_version(), ::testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
}

TEST(CApiLibrary, numbers_have_names) {
  EXPECT_STREQ(terrace_code_name(TERRACE_OK), "ok");
  EXPECT_STREQ(terrace_code_name(TERRACE_NO_ROOM), "no_room");
  EXPECT_STREQ(terrace_code_name(-1), "unknown");
  EXPECT_STREQ(terrace_code_name(1'000'000), "unknown");
  EXPECT_STREQ(terrace_miss_reason_name(TERRACE_MISS_BEHIND_HOLE), "behind_hole");
  EXPECT_STREQ(terrace_miss_reason_name(200), "unknown");
  EXPECT_STREQ(terrace_drop_cause_name(TERRACE_DROP_QUOTA), "quota");
  EXPECT_STREQ(terrace_drop_cause_name(200), "none");
}

}  // namespace
}  // namespace terrace::capi_tests
