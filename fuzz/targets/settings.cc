#include "fuzz/targets/settings.h"

#include <algorithm>

#include "base/assert.h"
#include "config/schema.h"
#include "config/yaml_writer.h"

namespace terrace::fuzz {
namespace {

using config::KeyRef;

std::vector<KeyRef> keys_of(const config::Configuration& configuration) {
  std::vector<KeyRef> keys;
  for (const config::Entry& entry : config::schema()) {
    const size_t tiers = config::is_of_tier(entry) ? configuration.options.tiers.size() : 1;
    for (size_t tier = 0; tier < tiers; ++tier) keys.push_back({&entry, tier});
  }
  return keys;
}

config::Setting setting_of(const KeyRef& key, const config::Configuration& configuration) {
  const config::Value value = key.entry->get(configuration, key.tier);
  config::Setting setting{config::name_of(key), {}, config::is_list(key.entry->kind), "written"};
  if (const auto* texts = std::get_if<std::vector<std::string>>(&value)) {
    setting.texts = *texts;
  } else if (const auto* counts = std::get_if<std::vector<uint64_t>>(&value)) {
    for (const uint64_t count : *counts) setting.texts.push_back(std::to_string(count));
  } else {
    setting.texts = {config::text_of(key.entry->kind, value)};
  }
  return setting;
}

// The text of each default reads back as the default. Holds for all inputs, so once is enough.
bool check_defaults() {
  for (const config::Entry& entry : config::schema()) {
    TERRACE_ASSERT(!config::to_string(entry.kind).empty());
    const config::Value value = config::default_of(entry);
    const std::string text = config::text_of(entry.kind, value);
    if (config::is_list(entry.kind)) continue;
    const auto parsed = config::parse_value(entry.kind, text);
    TERRACE_ASSERT(parsed && *parsed == value);
  }
  return true;
}

// As `terrace config show` writes them; what another kind of tier has is left out.
std::string yaml_of(const config::Configuration& configuration) {
  std::vector<config::Setting> settings;
  for (const KeyRef& key : keys_of(configuration)) {
    if (configuration.origins.contains(config::name_of(key))) {
      settings.push_back(setting_of(key, configuration));
    }
  }
  std::vector<config::Line> lines;
  for (const config::Setting& setting : settings) lines.push_back({&setting, ""});
  return config::write_yaml(lines);
}

void check_problems(const std::vector<config::Problem>& problems) {
  TERRACE_ASSERT(!problems.empty());
  for (const config::Problem& problem : problems) TERRACE_ASSERT(!config::to_string(problem).empty());
  TERRACE_ASSERT(config::failure_of(problems).error().error.code == Code::kInvalidArgument);
}

}  // namespace

void check_source(const config::Source& source) {
  static const bool defaults_are_right = check_defaults();
  TERRACE_ASSERT(defaults_are_right);
  const auto loaded = config::load(std::vector{source});
  if (!loaded) return check_problems(loaded.error());
  TERRACE_ASSERT(source.problems.empty() && loaded->options.validate().has_value());
  const auto reread = config::load(std::vector{config::read_yaml(yaml_of(*loaded), "written.yaml")});
  TERRACE_ASSERT(reread.has_value());
  for (const KeyRef& key : keys_of(*loaded)) {
    TERRACE_ASSERT(key.entry->get(*loaded, key.tier) == key.entry->get(*reread, key.tier));
  }
}

}  // namespace terrace::fuzz
