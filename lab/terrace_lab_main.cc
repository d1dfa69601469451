// terrace-lab: runs rows of the test matrix. Exit codes: 0 every row passed, 1 one failed, 2 wrong usage.
#include <unistd.h>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "lab/kit/hook_board.h"
#include "lab/kit/workers.h"
#include "lab/rows/children.h"
#include "lab/rows/rows.h"
#include "lab/rows/shrink.h"

namespace terrace::lab {
namespace {

constexpr int kPlantedBugsRow = 24;
constexpr int kPassed = 0, kRowFailed = 1, kUsage = 2;

constexpr const char* kFooter = R"(
examples:
  terrace-lab run --quick                       every row at a tenth, less than a minute on 2 cores
  terrace-lab run --row 1 --seconds 3600        new seeds of row 1 for an hour
  terrace-lab run --row 1 --seed 77 --count 1   one seed again; the same seed gives the same run
  terrace-lab run --row 1 --seed 77 --count 1 --verbose
                                                and every operation it does, with its answer
  terrace-lab run --row 2 --count 300 --dir /mnt/disk/lab
                                                300 kill -9 cycles on that disk

A row that fails prints the command that replays each failure.)";

struct RunArguments {
  RowOptions options;
  bool full = false;
  std::vector<int> rows;
  uint64_t count = 0;
  uint64_t ops = 0;
  uint64_t seconds = 0;
  uint64_t at_most = 0;
  std::string json;
  std::string mutant;
};

std::string row_numbers() {
  std::string text;
  for (const Row& row : rows()) text += fmt::format("{}{}", text.empty() ? "" : ", ", row.number);
  return text;
}

std::string mutant_names() {
  std::string text;
  for (const PointHits& mutant : mutants())
    text += fmt::format("{}{}", text.empty() ? "" : ", ", mutant.name);
  return text;
}

void describe_run(CLI::App& run, RunArguments& arguments) {
  RowOptions& options = arguments.options;
  run.add_flag("--quick", options.quick, "every row at a tenth");
  run.add_flag("--full", arguments.full, "every row whole (the default)")->excludes("--quick");
  run.add_option("--row", arguments.rows, "only this row; may be repeated (" + row_numbers() + ")");
  run.add_option("--count,--seeds", arguments.count, "how many of what the row counts (terrace-lab rows)")
      ->check(CLI::PositiveNumber);
  run.add_option("--seed", options.seed, "the first seed");
  run.add_option("--ops", arguments.ops, "operations of one seed (row 1)")->check(CLI::PositiveNumber);
  run.add_option("--without", options.without,
                 "leave parts of the scenarios out, as a shrunk seed says: " + parts_of_scenario())
      ->delimiter(',');
  run.add_option("--seconds", arguments.seconds, "go on with new seeds for so long, each row")
      ->check(CLI::PositiveNumber);
  run.add_option("--at-most", arguments.at_most, "begin nothing new after so many seconds, each row")
      ->check(CLI::PositiveNumber);
  run.add_option("--processes", options.processes, "jobs at once")->check(CLI::PositiveNumber);
  run.add_option("--dir", options.directory,
                 "where rows with real files work; a sub-folder is made and removed");
  run.add_option("--schedule", options.schedule, "this schedule alone, of the protocol --seed (row 17)");
  run.add_option("--fuzz", options.fuzz, "the folder of terrace-fuzz (row 14)");
  run.add_option("--mutant", arguments.mutant, "plant this bug first: the rows should fail");
  run.add_option("--json", arguments.json, "write the figures to this file");
  run.add_flag("--verbose", options.verbose, "print every operation and its answer");
}

int write_json(const std::string& path, const nlohmann::json& report) {
  std::ofstream file(path);
  file << report.dump(2) << '\n';
  file.close();
  if (file) return kPassed;
  fmt::print(stderr, "terrace-lab: cannot write {}\n", path);
  return kUsage;
}

int run(RunArguments& arguments) {
  RowOptions& options = arguments.options;
  if (options.verbose) std::setvbuf(stdout, nullptr, _IOLBF, 0);  // the last line matters when it ends badly
  if (!arguments.mutant.empty()) {
    if (const auto planted = plant(arguments.mutant); !planted) {
      fmt::print(stderr, "terrace-lab: {}; there are: {}\n", planted.error().message, mutant_names());
      return kUsage;
    }
  }
  if (arguments.count != 0) options.count = arguments.count;
  if (arguments.ops != 0) options.ops = arguments.ops;
  if (arguments.seconds != 0) {
    options.limit = std::chrono::seconds(arguments.seconds);
    if (!options.count) options.count = UINT32_MAX;
  }
  if (arguments.at_most != 0) options.limit = std::chrono::seconds(arguments.at_most);
  if (arguments.rows.empty()) {
    for (const Row& row : rows()) {
      if (row.in_quick || !options.quick) arguments.rows.push_back(row.number);
    }
  }
  for (const int number : arguments.rows) {
    if (find_row(number) == nullptr) {
      fmt::print(stderr, "terrace-lab: row {} is not built; there are {}\n", number, row_numbers());
      return kUsage;
    }
  }
  nlohmann::json report{{"quick", options.quick}, {"seed", options.seed}, {"rows", nlohmann::json::array()}};
  bool passed = true;
  for (const int number : arguments.rows) {
    const RowReport row = run_row(*find_row(number), options);
    fmt::print("{}\n", line(row));
    for (const auto& failure : row.findings.failures) fmt::print("  {}\n", failure);
    std::fflush(stdout);
    passed = passed && (row.passed() || !row.skipped.empty());
    report["rows"].push_back(to_json(row));
    if (number == kPlantedBugsRow) {
      report["mutants"] = {{"total", row.findings.counted("mutants")},
                           {"caught", row.findings.counted("caught")}};
    }
  }
  if (!arguments.mutant.empty() && hits_of(arguments.mutant) > 0) {
    fmt::print("planted {}: it misbehaved {} times\n", arguments.mutant, hits_of(arguments.mutant));
  }
  if (!arguments.json.empty() && write_json(arguments.json, report) != kPassed) return kUsage;
  return passed ? kPassed : kRowFailed;
}

int list() {
  for (const Row& row : rows()) {
    fmt::print("row {}: {} (--count {})\n  {}\n", row.number, row.title, row.counted, row.does);
  }
  return kPassed;
}

int main(int argc, char** argv) {
  // Rows tell what went wrong themselves; the stores' own lines are for who asks.
  if (std::getenv("TERRACE_LOG") == nullptr) terrace::base::log::set_level(terrace::base::log::Level::kError);
  CLI::App app("Runs rows of Terrace's test matrix: crashes, damage and faults against a content oracle.",
               "terrace-lab");
  app.footer(kFooter);
  app.require_subcommand(1);
  RunArguments arguments;
  arguments.options.processes = processors();
  arguments.options.directory = std::filesystem::temp_directory_path();
  arguments.options.program = "/proc/self/exe";
  arguments.options.progress = ::isatty(STDERR_FILENO) != 0;
  CLI::App* run_command = app.add_subcommand("run", "run rows; one line each with its figures");
  describe_run(*run_command, arguments);
  CLI::App* rows_command = app.add_subcommand("rows", "list the rows and what they do");
  RunChild child;
  describe_children(app, child);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kPassed : kUsage;
  }
  if (const auto shared = share_hook_board(); !shared) {
    fmt::print(stderr, "terrace-lab: {}\n", shared.error().message);
    return kUsage;
  }
  if (child) return child();
  return rows_command->parsed() ? list() : run(arguments);
}

}  // namespace
}  // namespace terrace::lab

int main(int argc, char** argv) {
  return terrace::lab::main(argc, argv);
}
