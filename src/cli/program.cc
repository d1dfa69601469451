// The program around the subcommands: parsing, errors, exit codes.
#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

#include <cstdlib>

#include "base/log.h"
#include "cli/command.h"
#include "cli/output.h"

namespace terrace::cli {
namespace {

void build(CLI::App& program, Invocation& invocation) {
  program.set_version_flag("--version", "terrace " TERRACE_VERSION, "print the version and exit");
  program.set_help_flag("-h,--help", "print this help and exit");
  program.require_subcommand(0, 1);
  add_put(program, invocation);
  add_get(program, invocation);
  add_ls(program, invocation);
  add_lookup(program, invocation);
  add_why(program, invocation);
  add_scrub(program, invocation);
  add_stats(program, invocation);
  add_serve(program, invocation);
  add_server(program, invocation);
  add_simulate(program, invocation);
  add_config(program, invocation);
  add_bench(program, invocation);
  add_completion(program, invocation);
  program.footer(
      "terrace COMMAND --help has each command's flags and examples.\n"
      "Exit codes: 0 done, 1 failed, 2 wrong usage or bad input, 3 miss, 4 damage found.");
}

std::string command_names(const CLI::App& program) {
  std::vector<std::string> names;
  for (const CLI::App* command : program.get_subcommands({})) names.push_back(command->get_name());
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string flag_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    if (!option->get_positional()) names.push_back(option->get_name());
  }
  return fmt::format("{}", fmt::join(names, " "));
}

CLI::App* subcommand_of(CLI::App& command, std::string_view name) {
  for (CLI::App* known : command.get_subcommands([](CLI::App*) { return true; })) {
    if (known->get_name() == name) return known;
  }
  return nullptr;
}

// The subcommand that the first arguments name, as far as they do; null when the first names none.
CLI::App* command_of(CLI::App& program, int argc, const char* const* argv) {
  CLI::App* command = argc > 1 ? subcommand_of(program, argv[1]) : nullptr;
  CLI::App* of_group = command != nullptr && argc > 2 ? subcommand_of(*command, argv[2]) : nullptr;
  return of_group == nullptr ? command : of_group;
}

// "put", "config show".
std::string full_name(const CLI::App& command) {
  const CLI::App* group = command.get_parent();
  const bool in_group = group != nullptr && group->get_parent() != nullptr;
  return in_group ? group->get_name() + " " + command.get_name() : command.get_name();
}

bool is_group(CLI::App& command) {
  return !command.get_subcommands([](CLI::App*) { return true; }).empty();
}

int unknown_command(std::string_view name, const CLI::App& parent) {
  complain(fmt::format("unknown command '{}'; commands: {}", name, command_names(parent)));
  return static_cast<int>(ExitCode::kUsage);
}

int usage_error(CLI::App& program, CLI::App* command, const CLI::ParseError& error) {
  std::string text = error.what();
  for (char& c : text) c = c == '\n' ? ' ' : c;
  if (command == nullptr) {
    complain(fmt::format("{}; commands: {} (see terrace --help)", text, command_names(program)));
  } else if (is_group(*command)) {
    complain(fmt::format("{}: {}; commands: {} (see terrace {} --help)", command->get_name(), text,
                         command_names(*command), command->get_name()));
  } else {
    complain(fmt::format("{}: {}; flags: {} (see terrace {} --help)", full_name(*command), text,
                         flag_names(*command), full_name(*command)));
  }
  return static_cast<int>(ExitCode::kUsage);
}

int report(const Failure& failed, const Invocation& invocation) {
  complain(failed.message);
  const ExitCode code = exit_code_of(failed.error.code);
  if (invocation.json) {
    const Json document{{"error", {{"code", to_string(failed.error.code)}, {"message", failed.message}}},
                        {"exit_code", static_cast<int>(code)}};
    invocation.json_lines ? print_json_line(document) : print_json(document);
  }
  return static_cast<int>(code);
}

int run(const Invocation& invocation) {
  int code = 0;
  try {
    const auto ended = invocation.run();
    code = ended ? static_cast<int>(*ended) : report(ended.error(), invocation);
  } catch (const std::bad_alloc&) {
    code = report({{Code::kNoMemory, 0, ""}, "out of memory"}, invocation);
  } catch (const std::exception& error) {
    code = report({{Code::kInternal, 0, ""}, fmt::format("{} (a defect; please report it)", error.what())},
                  invocation);
  }
  if (flush_output()) return code;
  complain("standard output could not be written");
  return code == 0 ? static_cast<int>(ExitCode::kFailed) : code;
}

}  // namespace

int run_program(int argc, const char* const* argv) {
  // Failures are told by the command itself; the library's own lines are for who asks.
  if (std::getenv("TERRACE_LOG") == nullptr) base::log::set_level(base::log::Level::kError);
  CLI::App program("Looks after the store of a directory: blocks of KV cache, named by digests.", "terrace");
  Invocation invocation;
  build(program, invocation);
  CLI::App* command = command_of(program, argc, argv);
  if (argc > 1 && command == nullptr && argv[1][0] != '-') {
    return unknown_command(argv[1], program);
  }
  if (argc > 2 && command != nullptr && is_group(*command) && argv[2][0] != '-') {
    return unknown_command(fmt::format("{} {}", argv[1], argv[2]), *command);
  }
  try {
    program.parse(argc, argv);
  } catch (const CLI::Success& wanted) {  // --help, --version
    return program.exit(wanted);
  } catch (const CLI::ParseError& error) {
    return usage_error(program, command, error);
  }
  if (!invocation.run) {
    complain(fmt::format("which command? one of: {} (see terrace --help)", command_names(program)));
    return static_cast<int>(ExitCode::kUsage);
  }
  return run(invocation);
}

}  // namespace terrace::cli
