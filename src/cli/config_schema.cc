// terrace config schema: the keys there are.
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

std::string default_text(const config::Entry& entry) {
  const std::string text = config::text_of(entry.kind, config::default_of(entry));
  return text == "0" && !entry.zero.empty() ? fmt::format("0: {}", entry.zero) : text;
}

void print_text() {
  Table table({"KEY", "TYPE", "DEFAULT", "ALLOWED", "MEANING"});
  for (const config::Entry& entry : config::schema()) {
    table.add({std::string(entry.name), std::string(config::to_string(entry.kind)), default_text(entry),
               config::allowed(entry), std::string(entry.meaning)});
  }
  print(table.text());
}

void print_markdown() {
  print("| key | type | default | allowed | meaning |\n|---|---|---|---|---|\n");
  for (const config::Entry& entry : config::schema()) {
    print(fmt::format("| `{}` | {} | {} | {} | {} |\n", entry.name, config::to_string(entry.kind),
                      default_text(entry), config::allowed(entry), entry.meaning));
  }
}

void print_document() {
  Json keys = Json::array();
  for (const config::Entry& entry : config::schema()) {
    Json key{{"key", entry.name},
             {"environment", config::environment_name({&entry, 0})},
             {"type", config::to_string(entry.kind)},
             {"default", value_document(entry.kind, config::default_of(entry))},
             {"allowed", config::allowed(entry)},
             {"meaning", entry.meaning}};
    if (!entry.zero.empty()) key["zero_means"] = entry.zero;
    if (!entry.choices.empty()) key["choices"] = entry.choices;
    keys.push_back(std::move(key));
  }
  print_json(Json{{"keys", std::move(keys)}});
}

}  // namespace

void add_config_schema(CLI::App& group, Invocation& invocation) {
  CLI::App* command = group.add_subcommand("schema", "list the keys: type, default, allowed values, meaning");
  auto markdown = std::make_shared<bool>(false);
  command->add_flag("--markdown", *markdown, "as the table of the documentation");
  add_json(*command, invocation);
  add_examples(*command,
               "  terrace config schema\n"
               "  terrace config schema --json\n"
               "\nThe environment variable of a key is its name in capitals behind TERRACE_: l1.budget is\n"
               "TERRACE_L1_BUDGET, tiers[0].disk.paths is TERRACE_TIERS_0_DISK_PATHS.\n");
  command->callback([&invocation, markdown] {
    invocation.run = [&invocation, markdown]() -> Outcome<ExitCode> {
      if (invocation.json) {
        print_document();
      } else if (*markdown) {
        print_markdown();
      } else {
        print_text();
      }
      return ExitCode::kOk;
    };
  });
}

}  // namespace terrace::cli
