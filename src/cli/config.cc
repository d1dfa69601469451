// terrace config: the group of its four commands, and what they share.
#include <cstdlib>

#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/config_commands.h"
#include "cli/open_store.h"
#include "cli/output.h"
#include "cli/stats_report.h"
#include "report/stats_document.h"

namespace terrace::cli {

void add_sets(CLI::App& command, ConfigArguments& arguments) {
  command
      .add_option("--set", arguments.sets,
                  "a value that counts more than the file and the environment; may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
}

std::string config_file(const ConfigArguments& arguments) {
  if (!arguments.file.empty()) return arguments.file;
  const char* named = std::getenv("TERRACE_CONFIG");
  return named == nullptr ? "" : named;
}

config::Checked<config::Configuration> load_config(const ConfigArguments& arguments) {
  return config::load(config::Sources{
      .file = config_file(arguments), .environment = config::process_environment(), .sets = arguments.sets});
}

Json problems_document(std::span<const config::Problem> problems) {
  Json list = Json::array();
  for (const config::Problem& problem : problems) {
    list.push_back(Json{{"origin", problem.origin},
                        {"key", problem.key},
                        {"value", problem.value},
                        {"allowed", problem.allowed},
                        {"message", problem.message}});
  }
  return list;
}

ExitCode report_problems(std::span<const config::Problem> problems, bool json) {
  for (const config::Problem& problem : problems) complain(config::to_string(problem));
  if (json) {
    print_json(
        Json{{"problems", problems_document(problems)}, {"exit_code", static_cast<int>(ExitCode::kUsage)}});
  }
  return ExitCode::kUsage;
}

void warn(std::span<const std::string> warnings) {
  for (const std::string& warning : warnings) complain("warning: " + warning);
}

Json value_document(config::Kind kind, const config::Value& value) {
  if (const auto* texts = std::get_if<std::vector<std::string>>(&value)) return *texts;
  if (const auto* counts = std::get_if<std::vector<uint64_t>>(&value)) return *counts;
  if (const auto* yes = std::get_if<bool>(&value)) return *yes;
  if (const auto* ratio = std::get_if<double>(&value)) return *ratio;
  if (kind == config::Kind::kCount) return std::get<uint64_t>(value);
  return config::text_of(kind, value);
}

namespace {

// Opens the store that the options describe, waits until it has recovered, and closes it. Its statistics.
Outcome<StoreStats> open_and_close(const StoreOptions& options) {
  auto store = Store::open(options);
  if (!store) return std::unexpected(store.error());
  if (!(*store)->wait_recovered(kLongTimeout)) {
    return failure(Code::kDeadline, "recovery did not end in time");
  }
  return (*store)->stats();
}

}  // namespace

Outcome<ExitCode> report_checked(const StoreOptions& options, bool open, Json document, std::string text,
                                 bool json) {
  if (open) {
    const auto stats = open_and_close(options);
    if (!stats) return std::unexpected(stats.error());
    document["store"] = report::stats_document(*stats);
    text += stats_text(*stats);
  }
  if (json) {
    print_json(document);
  } else {
    print(text);
  }
  return ExitCode::kOk;
}

void add_config(CLI::App& program, Invocation& invocation) {
  CLI::App* group =
      program.add_subcommand("config", "show, check and import the configuration a store is opened with");
  group->require_subcommand(1);
  add_config_show(*group, invocation);
  add_config_check(*group, invocation);
  add_config_schema(*group, invocation);
  add_config_import(*group, invocation);
  add_examples(*group,
               "  terrace config show --file terrace.yaml\n"
               "  terrace config check terrace.yaml --open\n"
               "  terrace config schema\n"
               "  terrace config import lmcache.yaml -o terrace.yaml --open\n"
               "\nEach has --json, and its own --help.\n");
}

}  // namespace terrace::cli
