// An LMCache configuration as its users have it: a YAML file, LMCACHE_* variables, or the flags of its
// server.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/source.h"

namespace terrace::config::lmcache {

enum class Form : uint8_t { kYaml, kEnvironment, kFlags };
// "yaml", "env", "flags".
std::optional<Form> form_named(std::string_view name);
Form guess_form(std::string_view text);

struct Option {
  std::string name;    // "max_local_cpu_size" in YAML and environment, "--l1-size-gb" of flags
  std::string value;   // lists joined with commas
  std::string origin;  // "lmcache.yaml:3"
};

struct OptionList {
  std::vector<Option> options;
  std::vector<Problem> problems;
};

// `file` is for origins.
OptionList read_options(Form form, std::string_view text, const std::string& file);
// "NAME=VALUE" lines, `export` and quotes accepted; those of other programs are passed over.
OptionList read_variables(std::string_view text, const std::string& file);
// "--name value", "--name=value"; the words before the first flag are the server's own command.
OptionList read_words(std::span<const std::string> words, const std::string& file);
OptionList read_yaml_options(std::string_view text, const std::string& file);

// Words as a shell splits them, without expanding anything.
std::vector<std::string> split_words(std::string_view text);

}  // namespace terrace::config::lmcache
