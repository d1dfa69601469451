// Configurations: a YAML file; and the environment with flags, a setting a line.
#include <string>
#include <vector>

#include "base/assert.h"
#include "fuzz/kit/input.h"
#include "fuzz/kit/target.h"
#include "fuzz/targets/settings.h"
#include "fuzz/targets/text_file.h"

namespace terrace::fuzz {
namespace {

void check_reading(std::span<const std::byte> input) {
  static const TextFile file;
  file.write(input);
  std::string text;
  std::vector<config::Problem> problems;
  TERRACE_ASSERT(config::read_text(file.path(), text, problems) && text == text_of(input));
  TERRACE_ASSERT(!config::read_text("/nonexistent", text, problems) && problems.size() == 1);
  const auto loaded =
      config::load(config::Sources{.file = file.path(), .environment = config::process_environment()});
  TERRACE_ASSERT(loaded || !loaded.error().empty());
}

void run_yaml(std::span<const std::byte> input) {
  // Reading takes longer than understanding, and has little to understand.
  if (input.size() % 32 == 0) check_reading(input);
  check_source(config::read_yaml(text_of(input), "fuzz.yaml"));
}

// "NAME=VALUE" is a variable, "--KEY=VALUE" a flag.
void run_settings(std::span<const std::byte> input) {
  std::string_view text = text_of(input);
  config::Environment environment;
  std::vector<std::string> sets;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const size_t equals = std::min(line.find('='), line.size());
    if (line.starts_with("--")) {
      sets.emplace_back(line.substr(2));
    } else {
      environment.emplace_back(line.substr(0, equals), line.substr(std::min(equals + 1, line.size())));
    }
  }
  check_source(config::read_environment(environment));
  check_source(config::read_flags(sets));
}

const Registered kYaml({.name = "config_yaml", .run = run_yaml});
const Registered kSettings({.name = "config_settings", .run = run_settings});

}  // namespace
}  // namespace terrace::fuzz
