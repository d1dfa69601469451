#include <unistd.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "config/schema.h"
#include "config/source.h"

namespace terrace::config {
namespace {

constexpr std::string_view kPrefix = "TERRACE_";
// Variables of the project's programs, scripts and tests that are no configuration keys.
constexpr std::array<std::string_view, 7> kOthers{
    "TERRACE_LOG",   "TERRACE_CONFIG",       "TERRACE_TRACES",      "TERRACE_BIN",
    "TERRACE_CACHE", "TERRACE_LLAMA_SYSTEM", "TERRACE_LLAMA_SOURCE"};

// One text; for a list its elements, of which an empty text has none.
Setting setting_of(const KeyRef& key, std::string_view text, std::string origin) {
  Setting setting{name_of(key), {}, is_list(key.entry->kind), std::move(origin)};
  if (!setting.list) {
    setting.texts.emplace_back(text);
    return setting;
  }
  if (text.empty()) return setting;
  while (true) {
    const size_t comma = text.find(',');
    setting.texts.emplace_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return setting;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace

Environment process_environment() {
  Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    environment.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  std::sort(environment.begin(), environment.end());
  return environment;
}

Source read_environment(const Environment& environment) {
  Source source;
  for (const auto& [name, value] : environment) {
    if (!name.starts_with(kPrefix)) continue;
    if (std::find(kOthers.begin(), kOthers.end(), name) != kOthers.end()) continue;
    if (const auto key = find_environment_name(name)) {
      source.settings.push_back(setting_of(*key, value, name));
    } else {
      source.problems.push_back(
          {name, "", value, "", "no key has this environment variable" + did_you_mean_variable(name)});
    }
  }
  return source;
}

Source read_flags(std::span<const std::string> sets) {
  Source source;
  for (const std::string& set : sets) {
    const size_t equals = set.find('=');
    if (equals == std::string::npos) {
      source.problems.push_back({"--set", set, "", "", "write KEY=VALUE, such as l1.budget=8GiB"});
      continue;
    }
    const std::string name = set.substr(0, equals);
    if (const auto key = find_key(name)) {
      source.settings.push_back(setting_of(*key, std::string_view(set).substr(equals + 1), "--set"));
    } else {
      source.problems.push_back(
          {"--set", name, set.substr(equals + 1), "", "there is no such key" + did_you_mean(name)});
    }
  }
  return source;
}

}  // namespace terrace::config
