// Where values come from: a YAML file, the environment, flags. Each reader turns its source into settings,
// with the place a person would look at, and into problems. Whether keys and values are allowed is decided
// in one place for all of them (load.h).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace terrace::config {

struct Setting {
  std::string key;                 // "tiers[0].disk.paths"
  std::vector<std::string> texts;  // one, unless it is a list
  bool list = false;
  std::string origin;  // "terrace.yaml:3", "TERRACE_L1_BUDGET", "--set"
};

// Why a configuration is refused. What does not apply is empty.
struct Problem {
  std::string origin, key, value, allowed;
  std::string message;  // the whole of it, in words
};

struct Source {
  std::vector<Setting> settings;
  std::vector<Problem> problems;
};

// `file` is for origins. Sections nest; "l1.budget: 8GiB" at the top means the same. No document: no
// settings.
Source read_yaml(std::string_view text, const std::string& file);

using Environment = std::vector<std::pair<std::string, std::string>>;
Environment process_environment();
// TERRACE_L1_BUDGET, TERRACE_TIERS_0_DISK_PATHS ...; commas separate the elements of a list. Other variables
// that begin with TERRACE_ are problems, but for those that the project's programs and tests use.
Source read_environment(const Environment& environment);

// "l1.budget=8GiB"; commas separate the elements of a list.
Source read_flags(std::span<const std::string> sets);

// "; did you mean l1.budget?", or nothing when no key resembles it.
std::string did_you_mean(std::string_view key);
std::string did_you_mean_variable(std::string_view name);

// The file's text, at most a mebibyte; "-" is standard input. The problem names the file and what the system
// said.
bool read_text(const std::string& file, std::string& text, std::vector<Problem>& problems);

}  // namespace terrace::config
