// terrace simulate: what a size and a policy would have hit on a trace of requests.
#include <algorithm>

#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/decimal.h"
#include "base/duration.h"
#include "cli/arguments.h"
#include "cli/file_bytes.h"
#include "cli/output.h"
#include "cli/simulate_report.h"
#include "simulate/trace_reader.h"

namespace terrace::cli {
namespace {

struct SimulateArguments {
  std::string trace;
  std::string format;
  std::vector<std::string> policies{"lru"};
  std::vector<std::string> capacities{"1%", "5%", "10%", "25%"};
  std::vector<std::string> disks;
  std::string block_bytes;
  uint32_t block_tokens = 0;
  uint32_t chunk_blocks = 0;
  std::string session_interval = "60s";
  std::string plot;
};

// "1827", or "5%" of the trace's different blocks.
Outcome<std::vector<uint64_t>> parse_capacities(std::string_view flag, const std::vector<std::string>& texts,
                                                uint64_t unique_blocks) {
  std::vector<uint64_t> capacities;
  for (const std::string& text : texts) {
    const bool percent = text.ends_with('%');
    const auto amount = base::split_amount(std::string_view(text).substr(0, text.size() - (percent ? 1 : 0)));
    if (!amount || !amount->unit.empty() || (!percent && amount->fraction > 0)) {
      return failure(
          Code::kInvalidArgument,
          fmt::format("{}: '{}' is no number of blocks, nor a share of the trace's as in 5%", flag, text));
    }
    double blocks = static_cast<double>(amount->whole) + static_cast<double>(amount->fraction) / 1e6;
    if (percent && blocks > 0) {
      blocks = std::max(1.0, blocks * static_cast<double>(unique_blocks) / 100);
    }
    if (blocks < 1 || blocks > UINT32_MAX) {
      return failure(Code::kInvalidArgument,
                     fmt::format("{}: '{}' is not between 1 and {} blocks", flag, text, UINT32_MAX));
    }
    capacities.push_back(static_cast<uint64_t>(blocks));
  }
  return capacities;
}

// Blocks of --block-tokens, which must be whole ones of the trace's.
Outcome<simulate::Trace> regrouped(simulate::Trace trace, uint32_t block_tokens) {
  if (block_tokens == 0 || block_tokens == trace.block_tokens) return trace;
  if (trace.block_tokens == 0) {
    return failure(Code::kInvalidArgument, "--block-tokens: the trace does not say how large its blocks are");
  }
  if (block_tokens % trace.block_tokens != 0) {
    return failure(Code::kInvalidArgument, fmt::format("--block-tokens: {} is no multiple of the trace's {}",
                                                       block_tokens, trace.block_tokens));
  }
  return simulate::with_larger_blocks(trace, block_tokens / trace.block_tokens);
}

Outcome<simulate::Trace> load(const SimulateArguments& arguments) {
  const auto interval = base::parse_duration(arguments.session_interval);
  if (!interval) {
    return failure(interval.error().error.code, "--session-interval: " + interval.error().message);
  }
  const simulate::TraceOptions options{.session_interval = static_cast<uint64_t>(interval->count())};
  auto trace = simulate::read_trace(arguments.format, arguments.trace, options);
  if (!trace) return trace;
  return regrouped(*std::move(trace), arguments.block_tokens);
}

Outcome<simulate::Question> question_of(const SimulateArguments& arguments, const simulate::Trace& trace) {
  const auto capacities = parse_capacities("--capacity-blocks", arguments.capacities, trace.unique_blocks());
  if (!capacities) return std::unexpected(capacities.error());
  const auto disks = parse_capacities("--disk-blocks", arguments.disks, trace.unique_blocks());
  if (!disks) return std::unexpected(disks.error());
  return simulate::Question{arguments.policies, *capacities, *disks, arguments.chunk_blocks};
}

Outcome<std::vector<simulate::Answer>> run_sweep(const simulate::Trace& trace,
                                                 const simulate::Question& question) {
  const base::SteadyClock clock;
  Progress progress("simulate", simulate::replays_of(question) * trace.requests.size(), clock,
                    [](uint64_t requests) { return count_of(requests, "request"); });
  return simulate::sweep(trace, question, clock, [&](uint64_t done) { progress.advance_to(done); });
}

// The plot shows the bounds whether they were asked for or not.
Outcome<void> write_plot(const std::string& path, const SimulationReport& report,
                         const simulate::Question& asked) {
  simulate::Question question = asked;
  question.policies = {std::string(simulate::kOptimum), std::string(simulate::kUnbounded)};
  const auto bounds = run_sweep(report.trace, question);
  if (!bounds) return std::unexpected(bounds.error());
  const std::string svg = to_svg(chart_of(report, *bounds));
  return write_output(path, std::as_bytes(std::span(svg)));
}

Outcome<ExitCode> simulate_trace(const SimulateArguments& arguments, bool json) {
  for (const std::string& policy : arguments.policies) {
    if (auto ok = simulate::check_policy(policy); !ok) {
      return failure(ok.error().error.code, "--policy: " + ok.error().message);
    }
  }
  SimulationReport report{.file = arguments.trace, .format = arguments.format};
  if (!arguments.block_bytes.empty()) {
    const auto bytes = parse_size_flag("--block-bytes", arguments.block_bytes);
    if (!bytes) return std::unexpected(bytes.error());
    report.block_bytes = *bytes;
  }
  auto trace = load(arguments);
  if (!trace) return std::unexpected(trace.error());
  report.trace = *std::move(trace);
  const auto question = question_of(arguments, report.trace);
  if (!question) return std::unexpected(question.error());
  auto answers = run_sweep(report.trace, *question);
  if (!answers) return std::unexpected(answers.error());
  report.answers = *std::move(answers);
  if (!arguments.plot.empty()) {
    if (auto ok = write_plot(arguments.plot, report, *question); !ok) return std::unexpected(ok.error());
  }
  if (json) {
    print_json(document_of(report));
  } else {
    print(text_of(report));
  }
  return ExitCode::kOk;
}

void add_flags(CLI::App& command, SimulateArguments& arguments) {
  const auto names_of = [](const auto& names) { return fmt::format("{}", fmt::join(names, ", ")); };
  command.add_option("--trace", arguments.trace, "the trace; a folder of sessions for coding-agent")
      ->required()
      ->type_name("FILE");
  command.add_option("--format", arguments.format, names_of(simulate::trace_formats()))
      ->required()
      ->type_name("FORMAT");
  command
      .add_option(
          "--policy", arguments.policies,
          fmt::format("{} (default lru); the last two are bounds", names_of(simulate::policy_names())))
      ->delimiter(',')
      ->type_name("NAME,...");
  command
      .add_option(
          "--capacity-blocks", arguments.capacities,
          "size of the cache, or of L1, in blocks or as a share of the trace's (default 1%,5%,10%,25%)")
      ->delimiter(',')
      ->type_name("N,...");
  command
      .add_option("--disk-blocks", arguments.disks,
                  "size of a disk behind it that everything is written through to")
      ->delimiter(',')
      ->type_name("N,...");
  command.add_option("--block-bytes", arguments.block_bytes, "bytes of a block, to count in bytes too")
      ->type_name("SIZE");
  command
      .add_option("--block-tokens", arguments.block_tokens,
                  "ask with larger blocks: a multiple of the trace's tokens a block")
      ->type_name("N");
  command
      .add_option(
          "--chunk-blocks", arguments.chunk_blocks,
          "store what prefill computes this many blocks at a time (default: the whole prompt at once)")
      ->type_name("N");
  command
      .add_option("--session-interval", arguments.session_interval,
                  "coding-agent: time from one session's begin to the next one's (default 60s)")
      ->type_name("TIME");
  command.add_option("--plot", arguments.plot, "write hits against capacity as SVG, with both bounds")
      ->type_name("FILE.svg");
}

}  // namespace

void add_simulate(CLI::App& program, Invocation& invocation) {
  CLI::App* command =
      program.add_subcommand("simulate", "replay a trace of requests: hits by policy and capacity");
  auto arguments = std::make_shared<SimulateArguments>();
  add_flags(*command, *arguments);
  add_json(*command, invocation);
  add_examples(
      *command,
      "  terrace simulate --trace chat.jsonl --format mooncake --policy lru,two_class\n"
      "  terrace simulate --trace chat.jsonl --format mooncake --capacity-blocks 2000,20000 --plot hits.svg\n"
      "  terrace simulate --trace sessions/ --format coding-agent --capacity-blocks 1% --disk-blocks 10%,25% "
      "\\\n"
      "    --block-bytes 8MiB --json | jq '.rows[] | [.disk_blocks, .prefix_hit_ratio]'\n");
  command->callback([&invocation, arguments] {
    invocation.run = [&invocation, arguments] { return simulate_trace(*arguments, invocation.json); };
  });
}

}  // namespace terrace::cli
