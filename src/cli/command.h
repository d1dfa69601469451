// The subcommands. Each has a file: its flags, its help, and what it does once the flags were parsed.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <terrace/error.h>

#include "cli/exit_code.h"

namespace CLI {
class App;
}

namespace terrace::cli {

// What the command line asked for.
struct Invocation {
  bool json = false;
  bool json_lines = false;  // each document is a line: of a command that prints several
  // Prints its result. A Failure is printed by the program, as text and with --json as JSON.
  std::function<Outcome<ExitCode>()> run;
};

// Adds the subcommand with the flag --json; parsing it leaves `run` in the invocation. The options live as
// long as the program's App.
void add_put(CLI::App& program, Invocation& invocation);
void add_get(CLI::App& program, Invocation& invocation);
void add_ls(CLI::App& program, Invocation& invocation);
void add_lookup(CLI::App& program, Invocation& invocation);
void add_why(CLI::App& program, Invocation& invocation);
void add_scrub(CLI::App& program, Invocation& invocation);
void add_stats(CLI::App& program, Invocation& invocation);
void add_serve(CLI::App& program, Invocation& invocation);
void add_server(CLI::App& program, Invocation& invocation);
void add_simulate(CLI::App& program, Invocation& invocation);
void add_config(CLI::App& program, Invocation& invocation);
void add_bench(CLI::App& program, Invocation& invocation);
void add_completion(CLI::App& program, Invocation& invocation);

// Parses and runs. Returns the process's exit code.
int run_program(int argc, const char* const* argv);

}  // namespace terrace::cli
