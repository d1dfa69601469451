// terrace config show | check | schema | import. What they share.
#pragma once

#include <span>
#include <string>
#include <vector>

#include <terrace/store.h>

#include "cli/command.h"
#include "cli/output.h"
#include "config/load.h"
#include "config/value.h"

namespace terrace::cli {

// Where a configuration comes from, beside the environment.
struct ConfigArguments {
  std::string file;               // empty: $TERRACE_CONFIG, or none
  std::vector<std::string> sets;  // "key=value"
};

void add_config_show(CLI::App& group, Invocation& invocation);
void add_config_check(CLI::App& group, Invocation& invocation);
void add_config_schema(CLI::App& group, Invocation& invocation);
void add_config_import(CLI::App& group, Invocation& invocation);

void add_sets(CLI::App& command, ConfigArguments& arguments);
// The file that is meant; empty: none.
std::string config_file(const ConfigArguments& arguments);
config::Checked<config::Configuration> load_config(const ConfigArguments& arguments);

// Told on standard error, a line each, and with --json as a document.
ExitCode report_problems(std::span<const config::Problem> problems, bool json);
Json problems_document(std::span<const config::Problem> problems);
void warn(std::span<const std::string> warnings);
// A value as JSON has it: numbers, true and false, lists; sizes and times as text with their unit.
Json value_document(config::Kind kind, const config::Value& value);

// What check and import say last, as JSON or else as text. With `open` the store that the options describe is
// opened, and closed when it has recovered: its state is said too.
Outcome<ExitCode> report_checked(const StoreOptions& options, bool open, Json document, std::string text,
                                 bool json);

}  // namespace terrace::cli
