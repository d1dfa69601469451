// terrace bench write-back: what the second query costs, with write-back and without.
#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/duration.h"
#include "cli/arguments.h"
#include "cli/bench_commands.h"
#include "cli/bench_scratch.h"
#include "cli/output.h"
#include "cli/write_back_experiment.h"

namespace terrace::cli {
namespace {

struct WriteBackArguments {
  std::string bandwidth = "1GB";
  std::string latency = "2ms";
  std::string bytes = "64MiB";
  std::string block_bytes = "4MiB";
  std::string directory;
  uint32_t rounds = 5;
};

Outcome<WriteBackPlan> plan_of(const WriteBackArguments& arguments) {
  WriteBackPlan plan;
  const auto bandwidth = parse_size_flag("--bandwidth", arguments.bandwidth);
  if (!bandwidth) return std::unexpected(bandwidth.error());
  const auto latency = base::parse_duration(arguments.latency);
  if (!latency) return failure(latency.error().error.code, "--latency: " + latency.error().message);
  auto chain = chain_of(arguments.bytes, arguments.block_bytes);
  if (!chain) return std::unexpected(chain.error());
  plan.chain = *std::move(chain);
  plan.bytes_per_second = *bandwidth;
  plan.latency = *latency;
  plan.rounds = arguments.rounds;
  return plan;
}

Json document_of(const WriteBackPlan& plan, std::span<const WriteBackRow> rows) {
  Json list = Json::array();
  for (const WriteBackRow& row : rows) {
    list.push_back(Json{{"path", row.path},
                        {"write_back", row.write_back},
                        {"first_ms", row.first_ms.median},
                        {"first_ms_min", row.first_ms.min},
                        {"first_ms_max", row.first_ms.max},
                        {"second_ms", row.second_ms.median},
                        {"second_ms_min", row.second_ms.min},
                        {"second_ms_max", row.second_ms.max},
                        {"first_source", row.first_source},
                        {"second_source", row.second_source},
                        {"wrong", row.wrong}});
  }
  return Json{{"bytes", plan.chain.bytes()},
              {"block_bytes", plan.chain.block_bytes},
              {"bytes_per_second", plan.bytes_per_second},
              {"latency_ms", std::chrono::duration<double, std::milli>(plan.latency).count()},
              {"rounds", plan.rounds},
              {"rows", std::move(list)}};
}

std::string text_of(const WriteBackPlan& plan, std::span<const WriteBackRow> rows) {
  std::string text = fmt::format(
      "{} of {} that another process stored, behind {:.3g} GB/s and {}; median, min to max of {}\n\n",
      count_of(plan.chain.keys.size(), "block"), base::format_size(plan.chain.block_bytes),
      static_cast<double>(plan.bytes_per_second) / 1e9, base::format_duration(plan.latency),
      count_of(plan.rounds, "round"));
  Table table({"PATH", "WRITE-BACK", ">FIRST MS", ">MIN", ">MAX", ">SECOND MS", ">MIN", ">MAX", "FIRST FROM",
               "SECOND FROM"});
  const auto ms = [](double value) { return fmt::format("{:.2f}", value); };
  for (const WriteBackRow& row : rows) {
    table.add({row.path, row.write_back ? "yes" : "no", ms(row.first_ms.median), ms(row.first_ms.min),
               ms(row.first_ms.max), ms(row.second_ms.median), ms(row.second_ms.min), ms(row.second_ms.max),
               row.first_source, row.second_source});
  }
  return text + table.text();
}

Outcome<ExitCode> bench_write_back(const WriteBackArguments& arguments, bool json) {
  auto plan = plan_of(arguments);
  if (!plan) return std::unexpected(plan.error());
  const SignalsWait signals;
  const auto directory = ScratchDirectory::make(arguments.directory, 2 * plan->chain.bytes());
  if (!directory) return std::unexpected(directory.error());
  plan->backing = directory->path() + "/shared";
  if (auto stored = store_elsewhere(*plan); !stored) return std::unexpected(stored.error());
  std::vector<WriteBackRow> rows;
  {
    const base::SteadyClock clock;
    Progress progress("write-back", plan->rounds * kWriteBackQueries, clock,
                      [](uint64_t queries) { return count_of(queries, "question"); });
    auto ran = run_write_back(*plan, [&] {
      progress.advance(1);
      return SignalsWait::check();
    });
    if (!ran) return std::unexpected(ran.error());
    rows = *std::move(ran);
  }
  if (json) {
    print_json(document_of(*plan, rows));
  } else {
    print(text_of(*plan, rows));
  }
  std::vector<std::string> broken;
  for (const WriteBackRow& row : rows) std::ranges::move(broken_claims(row), std::back_inserter(broken));
  return judge(broken);
}

}  // namespace

void add_bench_write_back(CLI::App& group, Invocation& invocation) {
  CLI::App* command = group.add_subcommand(
      "write-back", "ask twice for what another process stored in a shared tier: remote, then local");
  auto arguments = std::make_shared<WriteBackArguments>();
  command
      ->add_option("--bandwidth", arguments->bandwidth,
                   fmt::format("of the network, a second (default {})", arguments->bandwidth))
      ->type_name("SIZE");
  command
      ->add_option("--latency", arguments->latency,
                   fmt::format("of each operation over it (default {})", arguments->latency))
      ->type_name("TIME");
  add_bench_sizes(*command, arguments->bytes, arguments->block_bytes);
  add_bench_rounds(*command, arguments->rounds);
  add_bench_directory(*command, arguments->directory);
  add_json(*command, invocation);
  add_examples(
      *command,
      "  terrace bench write-back\n"
      "  terrace bench write-back --bandwidth 250MB --latency 20ms --rounds 3\n"
      "  terrace bench write-back --json | jq '.rows[] | [.path, .write_back, .second_source]'\n"
      "\nExit code 1 too when a byte is wrong, or a second query did not come from where it should: from\n"
      "l1 with write-back, from the shared tier without.\n");
  command->callback([&invocation, arguments] {
    invocation.run = [&invocation, arguments] { return bench_write_back(*arguments, invocation.json); };
  });
}

}  // namespace terrace::cli
