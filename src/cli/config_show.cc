// terrace config show: the values in force, and where each came from.
#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/config_commands.h"
#include "config/schema.h"

namespace terrace::cli {
namespace {

struct InForce {
  config::KeyRef key;
  config::Value value;
  std::string origin;
};

// Keys of another kind of tier than the tier is of mean nothing there.
bool applies(const config::Entry& entry, const TierOptions& tier) {
  const bool disk = tier.kind == TierOptions::Kind::kDisk;
  return !entry.name.starts_with(disk ? "tiers[].mock." : "tiers[].disk.");
}

std::vector<InForce> values_of(const config::Configuration& configuration) {
  std::vector<InForce> values;
  const auto add = [&](const config::Entry& entry, size_t tier) {
    const config::KeyRef key{&entry, tier};
    const auto origin = configuration.origins.find(config::name_of(key));
    values.push_back({key, entry.get(configuration, tier),
                      origin == configuration.origins.end() ? "default" : origin->second});
  };
  const auto& tiers = configuration.options.tiers;
  for (const config::Entry& entry : config::schema()) {
    if (!config::is_of_tier(entry)) add(entry, 0);
  }
  for (size_t tier = 0; tier < tiers.size(); ++tier) {
    for (const config::Entry& entry : config::schema()) {
      if (config::is_of_tier(entry) && applies(entry, tiers[tier])) add(entry, tier);
    }
  }
  return values;
}

std::string shown(const InForce& value) {
  const config::Entry& entry = *value.key.entry;
  const std::string text = config::text_of(entry.kind, value.value);
  return text == "0" && !entry.zero.empty() ? fmt::format("0 ({})", entry.zero) : text;
}

Outcome<ExitCode> show(const ConfigArguments& arguments, bool json) {
  const auto configuration = load_config(arguments);
  if (!configuration) return report_problems(configuration.error(), json);
  Json values = Json::array();
  Table table({"KEY", "VALUE", "ORIGIN"});
  for (const InForce& value : values_of(*configuration)) {
    const std::string name = config::name_of(value.key);
    table.add({name, shown(value), value.origin});
    values.push_back(Json{{"key", name},
                          {"value", value_document(value.key.entry->kind, value.value)},
                          {"origin", value.origin}});
  }
  warn(configuration->warnings);
  if (json) {
    print_json(Json{{"file", config_file(arguments)},
                    {"values", std::move(values)},
                    {"warnings", configuration->warnings}});
  } else {
    print(table.text());
  }
  return ExitCode::kOk;
}

}  // namespace

void add_config_show(CLI::App& group, Invocation& invocation) {
  CLI::App* command = group.add_subcommand("show", "print every value in force and where it came from");
  auto arguments = std::make_shared<ConfigArguments>();
  command->add_option("--file", arguments->file, "configuration file (default $TERRACE_CONFIG, else none)")
      ->type_name("FILE");
  add_sets(*command, *arguments);
  add_json(*command, invocation);
  add_examples(*command,
               "  terrace config show\n"
               "  terrace config show --file terrace.yaml --set l1.budget=8GiB\n"
               "  TERRACE_GET_TIMEOUT=250ms terrace config show --json\n");
  command->callback([&invocation, arguments] {
    invocation.run = [&invocation, arguments] { return show(*arguments, invocation.json); };
  });
}

}  // namespace terrace::cli
