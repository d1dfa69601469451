// terrace stats: what the store of a directory holds and how it does its IO.
#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/open_store.h"
#include "cli/output.h"
#include "cli/stats_report.h"

namespace terrace::cli {
namespace {

Outcome<ExitCode> stats(const StoreArguments& arguments, bool json) {
  auto store = open_store(arguments, {});
  if (!store) return std::unexpected(store.error());
  if (json) {
    print_json(stats_document((*store)->stats()));
  } else {
    print(stats_text((*store)->stats()));
  }
  return ExitCode::kOk;
}

}  // namespace

void add_stats(CLI::App& program, Invocation& invocation) {
  CLI::App* command = program.add_subcommand("stats", "show usage by tier and the disk engine in use");
  auto arguments = std::make_shared<StoreArguments>();
  add_store(*command, *arguments);
  add_engine(*command, *arguments, "32MiB");
  add_json(*command, invocation);
  add_examples(*command,
               "  terrace stats /var/cache/kv\n"
               "  terrace stats /var/cache/kv --io psync --json\n");
  command->callback([&invocation, arguments] {
    invocation.run = [&invocation, arguments] { return stats(*arguments, invocation.json); };
  });
}

}  // namespace terrace::cli
