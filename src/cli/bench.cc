// terrace bench: the group of its experiments, and what they share.
#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "base/bytes.h"
#include "cli/arguments.h"
#include "cli/bench_commands.h"
#include "cli/output.h"

namespace terrace::cli {

void add_bench_sizes(CLI::App& command, std::string& bytes, std::string& block_bytes) {
  command.add_option("--bytes", bytes, fmt::format("stored in all (default {})", bytes))->type_name("SIZE");
  command.add_option("--block-bytes", block_bytes, fmt::format("of a block (default {})", block_bytes))
      ->type_name("SIZE");
}

Outcome<BenchChain> chain_of(const std::string& bytes, const std::string& block_bytes) {
  const auto all = parse_size_flag("--bytes", bytes);
  if (!all) return std::unexpected(all.error());
  const auto block = parse_size_flag("--block-bytes", block_bytes);
  if (!block) return std::unexpected(block.error());
  if (*block > kBlockBytesMax) {
    return failure(Code::kInvalidArgument,
                   fmt::format("--block-bytes: {} is more than {}", base::format_size(*block),
                               base::format_size(kBlockBytesMax)));
  }
  if (*all < *block || *all / *block > kBatchMax) {
    return failure(Code::kInvalidArgument,
                   fmt::format("--bytes: {} in blocks of {}: 1 to {} blocks", base::format_size(*all),
                               base::format_size(*block), kBatchMax));
  }
  return make_chain(*all / *block, *block);
}

void add_bench_directory(CLI::App& command, std::string& directory) {
  directory = kBenchDirectory;
  command
      .add_option("--dir", directory,
                  fmt::format("where a temporary directory is made for the files (default {})", directory))
      ->type_name("DIR");
}

void add_bench_rounds(CLI::App& command, uint32_t& rounds) {
  command
      .add_option("--rounds", rounds,
                  fmt::format("how often each side runs, in turns; figures are medians (default {})", rounds))
      ->type_name("N")
      ->check(CLI::Range(1, 1000).description(""));
}

ExitCode judge(std::span<const std::string> broken) {
  for (const std::string& line : broken) complain(line);
  return broken.empty() ? ExitCode::kOk : ExitCode::kFailed;
}

void add_bench(CLI::App& program, Invocation& invocation) {
  CLI::App* group = program.add_subcommand("bench", "experiments: what write-back and staging do, and cost");
  group->require_subcommand(1);
  add_bench_write_back(*group, invocation);
  add_bench_staging(*group, invocation);
  add_examples(*group,
               "  terrace bench write-back\n"
               "  terrace bench staging --dir /mnt/nvme\n"
               "\nEach has --json, and its own --help. Every byte they get back is checked.\n");
}

}  // namespace terrace::cli
