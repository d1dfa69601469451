// terrace-llama: questions over a long document, answered by a GGUF model whose KV cache Terrace keeps.
#include <cstdio>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "llama_cpp/commands.h"
#include "llama_cpp/tiny_gguf.h"

namespace {

using terrace::Code;
using terrace::Outcome;
namespace llama = terrace::llama;

constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;

int report(const Outcome<void>& outcome) {
  if (outcome) return 0;
  fmt::print(stderr, "terrace-llama: {}\n", outcome.error().message);
  return outcome.error().error.code == Code::kInvalidArgument ? kExitUsage : kExitFailure;
}

void add_model_flags(CLI::App& app, llama::CommonOptions& options) {
  const auto size = CLI::AsSizeValue(true);
  app.add_option("-m,--model", options.model, "GGUF file (required)");
  app.add_option("--store", options.store,
                 "store directory (disk tier); without it only host memory is used");
  CLI::Option* const server = app.add_option(
      "--server", options.server, "socket of a terrace server, whose store is shared with other processes");
  app.add_option("--l1", options.l1_bytes, "host memory for blocks, for example 1GiB")
      ->transform(size)
      ->capture_default_str();
  app.add_option("--disk", options.disk_bytes, "capacity of the store directory, for example 4GiB")
      ->transform(size)
      ->capture_default_str();
  for (const char* const own : {"--store", "--l1", "--disk"}) server->excludes(app.get_option(own));
  app.add_option("--block-tokens", options.block_tokens, "tokens in a block, 16 to 512")
      ->capture_default_str();
  app.add_option("--ubatch", options.ubatch_tokens,
                 "tokens decoded together, 1 to 4096; equal to --block-tokens, a "
                 "restored answer equals a computed one bit for bit")
      ->capture_default_str();
  app.add_option("--ctx", options.context_tokens,
                 "context size in tokens; 0: what the model was trained with")
      ->capture_default_str();
  app.add_option("--threads", options.threads, "0: one per CPU")->capture_default_str();
  app.add_flag("--flash-attention", options.flash_attention,
               "slower on CPUs for the short batch after a restore");
  app.add_option("--json", options.json,
                 "also write the results as JSON to this file ('-': standard output)");
}

void add_ask(CLI::App& app, llama::AskOptions& options) {
  add_model_flags(app, options.common);
  app.add_option("-d,--document", options.document, "text the questions are about (required)");
  app.add_option("-q,--question", options.questions, "may be given several times (at least one)")
      ->allow_extra_args(false);
  app.add_option("-n,--max-tokens", options.max_tokens, "longest answer")->capture_default_str();
  app.add_option("--rounds", options.rounds, "ask all questions this many times")->capture_default_str();
  app.add_flag("--no-cache", options.no_cache, "compute every prefill");
  app.add_flag("--keys", options.keys, "add the keys of each prompt's blocks to the JSON");
  app.add_flag("--hold", options.hold,
               "when all writes have ended print 'writes ended' and wait to be killed");
}

void add_bench(CLI::App& app, llama::BenchOptions& options) {
  add_model_flags(app, options.common);
  app.add_option("--tokens", options.prompt_tokens, "prompt lengths, for example 1024,4096")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->capture_default_str();
  app.add_option("--runs", options.runs, "prompts of each length")->capture_default_str();
  app.add_option("--seed", options.seed, "of the prompts")->capture_default_str();
}

Outcome<void> missing(const char* flag, const char* what) {
  return terrace::failure(Code::kInvalidArgument, fmt::format("{} is required: {}", flag, what));
}

// Not left to CLI11: it would name a missing flag before an unknown one that was meant for it.
Outcome<void> check_given(const llama::AskOptions& options) {
  if (options.common.model.empty()) return missing("--model", "a GGUF file");
  if (options.document.empty()) return missing("--document", "a text file");
  if (options.questions.empty()) return missing("--question", "what to ask, several times if you like");
  return {};
}

int run(int argc, char** argv) {
  CLI::App app(
      "Asks a GGUF model about a document; Terrace keeps the document's KV cache in memory and on disk.");
  app.require_subcommand(1);
  app.footer("Exit codes: 0 done, 1 failed, 2 wrong usage.");

  llama::AskOptions ask;
  CLI::App* ask_command = app.add_subcommand("ask", "answer questions over a document, greedily");
  add_ask(*ask_command, ask);

  llama::BenchOptions bench;
  CLI::App* bench_command =
      app.add_subcommand("bench", "time to first token: computed, from memory, from disk");
  add_bench(*bench_command, bench);

  std::string tiny_path;
  std::string tiny_kind = "plain";
  llama::TinyOptions tiny;
  CLI::App* tiny_command = app.add_subcommand("tiny", "write a tiny model with random weights, for tests");
  tiny_command->add_option("path", tiny_path, "file to write")->required();
  tiny_command->add_option("--kind", tiny_kind, "plain, sliding or recurrent")->capture_default_str();
  tiny_command->add_option("--seed", tiny.seed)->capture_default_str();
  tiny_command->add_option("--layers", tiny.layers)->capture_default_str();
  tiny_command->add_option("--width", tiny.width)->capture_default_str();
  tiny_command->add_option("--trained-ctx", tiny.context, "context size it declares")->capture_default_str();

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  if (*ask_command) {
    if (const auto given = check_given(ask); !given) return report(given);
    return report(llama::run_ask(ask));
  }
  if (*bench_command) {
    if (bench.common.model.empty()) return report(missing("--model", "a GGUF file"));
    return report(llama::run_bench(bench));
  }
  const auto kind = llama::tiny_kind_from_name(tiny_kind);
  if (!kind) return report(std::unexpected(kind.error()));
  tiny.kind = *kind;
  return report(llama::write_tiny_gguf(tiny_path, tiny));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "terrace-llama: {}\n", error.what());
    return kExitFailure;
  }
}
