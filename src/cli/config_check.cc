// terrace config check: whether a store could be opened with a configuration, and with --open whether it is.
#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/config_commands.h"

namespace terrace::cli {
namespace {

struct CheckArguments {
  ConfigArguments config;
  bool open = false;
};

Outcome<ExitCode> check(const CheckArguments& arguments, bool json) {
  const std::string file = config_file(arguments.config);
  if (file.empty()) return failure(Code::kInvalidArgument, "name a FILE, or set TERRACE_CONFIG");
  const auto configuration = load_config(arguments.config);
  if (!configuration) return report_problems(configuration.error(), json);
  warn(configuration->warnings);
  Json document{{"file", file}, {"warnings", configuration->warnings}};
  std::string text = fmt::format("{}: no problems\n", file);
  return report_checked(configuration->options, arguments.open, std::move(document), std::move(text), json);
}

}  // namespace

void add_config_check(CLI::App& group, Invocation& invocation) {
  CLI::App* command = group.add_subcommand("check", "say everything that is wrong with a configuration");
  auto arguments = std::make_shared<CheckArguments>();
  command->add_option("FILE", arguments->config.file, "configuration file (default $TERRACE_CONFIG)")
      ->type_name("");
  command->add_flag("--open", arguments->open,
                    "open the store it describes too, show the state of its tiers, and close it");
  add_sets(*command, arguments->config);
  add_json(*command, invocation);
  add_examples(*command,
               "  terrace config check terrace.yaml\n"
               "  terrace config check terrace.yaml --open\n"
               "\nThe environment counts too, as it does when the store is opened. Exit code 2 says that\n"
               "there are problems; each is a line on standard error.\n");
  command->callback([&invocation, arguments] {
    invocation.run = [&invocation, arguments] { return check(*arguments, invocation.json); };
  });
}

}  // namespace terrace::cli
