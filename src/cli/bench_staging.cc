// terrace bench staging: what an L1 that only stages costs, and that it keeps nothing.
#include <unistd.h>

#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "cli/arguments.h"
#include "cli/bench_commands.h"
#include "cli/bench_scratch.h"
#include "cli/output.h"
#include "cli/staging_experiment.h"
#include "cli/where.h"
#include "record/record.h"

namespace terrace::cli {
namespace {

struct StagingArguments {
  std::string bytes = "2GiB";
  std::string block_bytes = "1MiB";
  std::string l1 = "32MiB";
  std::string bandwidth = "20GB";
  std::string directory;
  uint32_t rounds = 5;
  double least_ratio = 0.9;
};

// Room for every block. A segment is a 64th: where it holds five blocks a fifth of it may stay empty, where
// it holds one a half.
uint64_t large_l1(const BenchChain& chain) {
  constexpr uint64_t kManyBlocks = 64 * 5;
  const uint64_t records = chain.keys.size() * record::record_bytes(chain.block_bytes);
  const uint64_t spare = chain.keys.size() >= kManyBlocks ? records / 4 : records;
  return base::round_up(records + spare + 64 * base::kMiB, 2 * base::kMiB);
}

// Twice what is stored, so that nothing is evicted; the disk's segments, a 64th each, hold two blocks at
// least.
uint64_t tier_capacity(const BenchChain& chain) {
  constexpr uint64_t kTwoBlocksASegment = 64 * 3;
  return std::max(
      {2 * chain.bytes(), 256 * base::kMiB, kTwoBlocksASegment * record::record_bytes(chain.block_bytes)});
}

Outcome<void> check_memory(const StagingPlan& plan) {
  const uint64_t needed = plan.large_bytes + plan.chain.bytes();
  const uint64_t machine =
      static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  if (needed <= machine) return {};
  return failure(Code::kInvalidArgument,
                 fmt::format("--bytes {}: the large L1 and the mock tier need {} of memory, this machine has "
                             "{}",
                             base::format_size(plan.chain.bytes()), base::format_size(needed),
                             base::format_size(machine)));
}

// All but the tier.
Outcome<StagingPlan> plan_of(const StagingArguments& arguments) {
  StagingPlan plan;
  auto chain = chain_of(arguments.bytes, arguments.block_bytes);
  if (!chain) return std::unexpected(chain.error());
  plan.chain = *std::move(chain);
  const auto l1 = parse_size_flag("--l1", arguments.l1);
  if (!l1) return std::unexpected(l1.error());
  plan.l1_bytes = *l1;
  plan.large_bytes = large_l1(plan.chain);
  plan.rounds = arguments.rounds;
  plan.least_ratio = arguments.least_ratio;
  if (auto fits = check_memory(plan); !fits) return std::unexpected(fits.error());
  StoreOptions staging;
  staging.l1.budget = plan.l1_bytes;
  staging.l1.largest_block = plan.chain.block_bytes;
  if (auto valid = staging.validate(); !valid) {
    return failure(valid.error().error.code, "--l1: " + valid.error().message);
  }
  return plan;
}

Outcome<std::vector<TierOptions>> measured_tiers(const StagingArguments& arguments, uint64_t capacity) {
  const auto bandwidth = parse_size_flag("--bandwidth", arguments.bandwidth);
  if (!bandwidth) return std::unexpected(bandwidth.error());
  TierOptions mock;
  mock.kind = TierOptions::Kind::kMock;
  mock.name = "mock";
  mock.mock.capacity = capacity;
  mock.mock.bytes_per_second = *bandwidth;
  TierOptions disk;
  disk.name = kDiskName;
  disk.disk.capacity = capacity;
  return std::vector{mock, disk};
}

Json document_of(const StagingPlan& plan, std::span<const StagingRow> rows) {
  Json list = Json::array();
  for (const StagingRow& row : rows) {
    list.push_back(Json{{"tier", row.tier},
                        {"blocks_stored", row.blocks_stored},
                        {"blocks_found", row.blocks_found},
                        {"wrong", row.wrong},
                        {"l1_bytes_max", row.l1_bytes_max},
                        {"l1_bytes_end", row.l1_bytes_end},
                        {"throughput_ratio", row.ratio.median},
                        {"throughput_ratio_min", row.ratio.min},
                        {"throughput_ratio_max", row.ratio.max},
                        {"bytes_per_second", row.staging.median},
                        {"bytes_per_second_large_l1", row.large.median}});
  }
  return Json{{"bytes", plan.chain.bytes()},           {"blocks", plan.chain.keys.size()},
              {"block_bytes", plan.chain.block_bytes}, {"l1_bytes", plan.l1_bytes},
              {"large_l1_bytes", plan.large_bytes},    {"rounds", plan.rounds},
              {"least_ratio", plan.least_ratio},       {"rows", std::move(list)}};
}

std::string text_of(const StagingPlan& plan, std::span<const StagingRow> rows) {
  std::string text = fmt::format(
      "{} of {} through an L1 of {} that only stages, and through one of {}; median of {}\n\n",
      count_of(plan.chain.keys.size(), "block"), base::format_size(plan.chain.block_bytes),
      base::format_size(plan.l1_bytes), base::format_size(plan.large_bytes), count_of(plan.rounds, "round"));
  Table table({"TIER", ">STORED", ">FOUND", ">WRONG", ">L1 MAX", ">L1 END", ">GB/S", ">LARGE L1", ">RATIO",
               ">MIN", ">MAX"});
  const auto rate = [](double value) { return fmt::format("{:.2f}", value / 1e9); };
  const auto ratio = [](double value) { return fmt::format("{:.3f}", value); };
  for (const StagingRow& row : rows) {
    table.add({row.tier, fmt::format("{}", row.blocks_stored), fmt::format("{}", row.blocks_found),
               fmt::format("{}", row.wrong), base::format_size(row.l1_bytes_max),
               base::format_size(row.l1_bytes_end), rate(row.staging.median), rate(row.large.median),
               ratio(row.ratio.median), ratio(row.ratio.min), ratio(row.ratio.max)});
  }
  return text + table.text();
}

Outcome<std::vector<StagingRow>> run_tiers(StagingPlan plan, std::span<const TierOptions> tiers) {
  const base::SteadyClock clock;
  Progress progress("staging", tiers.size() * plan.rounds * kStagingPasses * plan.chain.bytes(), clock);
  std::vector<StagingRow> rows;
  for (const TierOptions& tier : tiers) {
    plan.tier = tier;
    auto row = run_staging(plan, [&](uint64_t bytes) {
      progress.advance(bytes);
      return SignalsWait::check();
    });
    if (!row) return std::unexpected(row.error());
    rows.push_back(*std::move(row));
  }
  return rows;
}

Outcome<ExitCode> bench_staging(const StagingArguments& arguments, bool json) {
  auto plan = plan_of(arguments);
  if (!plan) return std::unexpected(plan.error());
  const uint64_t capacity = tier_capacity(plan->chain);
  const auto tiers = measured_tiers(arguments, capacity);
  if (!tiers) return std::unexpected(tiers.error());
  const SignalsWait signals;
  const auto directory = ScratchDirectory::make(arguments.directory, capacity);
  if (!directory) return std::unexpected(directory.error());
  plan->directory = directory->path();
  const auto rows = run_tiers(*plan, *tiers);
  if (!rows) return std::unexpected(rows.error());
  if (json) {
    print_json(document_of(*plan, *rows));
  } else {
    print(text_of(*plan, *rows));
  }
  std::vector<std::string> broken;
  for (const StagingRow& row : *rows)
    std::ranges::move(broken_claims(*plan, row), std::back_inserter(broken));
  return judge(broken);
}

void add_flags(CLI::App& command, StagingArguments& arguments) {
  add_bench_sizes(command, arguments.bytes, arguments.block_bytes);
  command.add_option("--l1", arguments.l1, fmt::format("of the staging side (default {})", arguments.l1))
      ->type_name("SIZE");
  command
      .add_option("--bandwidth", arguments.bandwidth,
                  fmt::format("of the mock tier, a second (default {})", arguments.bandwidth))
      ->type_name("SIZE");
  command
      .add_option("--least-ratio", arguments.least_ratio,
                  fmt::format("of the large L1's throughput; less fails (default {})", arguments.least_ratio))
      ->type_name("RATIO")
      ->check(CLI::Range(0.0, 10.0).description(""));
  add_bench_rounds(command, arguments.rounds);
  add_bench_directory(command, arguments.directory);
}

}  // namespace

void add_bench_staging(CLI::App& group, Invocation& invocation) {
  CLI::App* command =
      group.add_subcommand("staging", "store through a small L1 that only stages, beside a large one");
  auto arguments = std::make_shared<StagingArguments>();
  add_flags(*command, *arguments);
  add_json(*command, invocation);
  add_examples(
      *command,
      "  terrace bench staging\n"
      "  terrace bench staging --dir /mnt/nvme --block-bytes 4MiB --rounds 9\n"
      "  terrace bench staging --bytes 64MiB --l1 16MiB --least-ratio 0 --json\n"
      "\nTakes 2.3 to 3 times --bytes of memory, and twice --bytes of disk until it ends. Exit code 1 too\n"
      "when a block is lost or wrong, L1 passes its budget or keeps something, or the ratio is too small.\n");
  command->callback([&invocation, arguments] {
    invocation.run = [&invocation, arguments] { return bench_staging(*arguments, invocation.json); };
  });
}

}  // namespace terrace::cli
