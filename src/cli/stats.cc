// terrace stats: what a store holds, how it does its IO, and what it counted (X1).
#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/open_store.h"
#include "cli/output.h"
#include "cli/stats_report.h"
#include "report/stats_document.h"

namespace terrace::cli {
namespace {

Outcome<ExitCode> stats(const StoreArguments& arguments, bool json) {
  auto store = open_store(arguments, {});
  if (!store) return std::unexpected(store.error());
  if (json) {
    print_json(report::store_document(**store));
  } else {
    const StoreStats stats = (*store)->stats();
    print(stats_text(stats) + namespaces_text((*store)->namespaces()) +
          tenants_text((*store)->tenants(), stats));
  }
  return ExitCode::kOk;
}

}  // namespace

void add_stats(CLI::App& program, Invocation& invocation) {
  CLI::App* command =
      program.add_subcommand("stats", "show usage, traffic and latencies by tier, namespaces and tenants");
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
