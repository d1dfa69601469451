#include <cstdio>
#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include "llama_cpp/answer.h"
#include "llama_cpp/commands.h"

namespace terrace::llama {
namespace {

using Json = nlohmann::ordered_json;

constexpr Timeout kSyncTimeout = std::chrono::seconds(60);

Outcome<std::string> read_document(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file.is_open() || !(text << file.rdbuf())) {
    return failure(Code::kNotFound, fmt::format("document {}: cannot be read, or is empty", path), errno);
  }
  return std::move(text).str();
}

// The document and the question are tokenised apart, so that the document's tokens are the same for each
// question.
std::vector<uint32_t> prompt_tokens(const Model& model, const std::string& document,
                                    const std::string& question) {
  std::vector<uint32_t> tokens = model.tokenize(document, true);
  const std::vector<uint32_t> tail =
      model.tokenize(fmt::format("\n\nQuestion: {}\nAnswer:", question), false);
  tokens.insert(tokens.end(), tail.begin(), tail.end());
  return tokens;
}

// Only on a terminal: a bar of the prefill on stderr, gone when it is done.
PrefillProgress terminal_progress() {
  if (isatty(STDERR_FILENO) == 0) return {};
  return [](uint32_t done, uint32_t total) {
    constexpr uint32_t kWidth = 40;
    const uint32_t filled = static_cast<uint32_t>(uint64_t{done} * kWidth / total);
    fmt::print(stderr, "\r  prefill [{:#<{}}{:.<{}}] {}/{} tokens", "", filled, "", kWidth - filled, done,
               total);
    if (done >= total) fmt::print(stderr, "\r\033[K");
    std::fflush(stderr);
    return true;
  };
}

Json to_json(const Answer& answer, const std::string& question, uint32_t round) {
  return {{"round", round},
          {"question", question},
          {"ttft_ms", answer.ttft_ms},
          {"total_ms", answer.total_ms},
          {"tokens_prompt", answer.prompt.size()},
          {"tokens_restored", answer.restored.tokens},
          {"bytes_restored", answer.restored.bytes},
          {"source", answer.source()},
          {"stopped_by", std::string(to_string(answer.restored.stopped_by))},
          {"blocks_stored", answer.stored.blocks},
          {"blocks_dropped", answer.stored.dropped},
          {"output_tokens", answer.output},
          {"text", answer.text}};
}

Json to_json(const Namespace& fields) {
  const auto value = [](const auto& field) { return field ? Json(*field) : Json(); };
  return {{"model_id", value(fields.model_id)},
          {"model_fingerprint", value(fields.model_fingerprint)},
          {"kv_dtype", value(fields.kv_dtype)},
          {"layout_id", value(fields.layout_id)},
          {"block_tokens", value(fields.block_tokens)},
          {"producer", value(fields.producer)},
          {"producer_version", value(fields.producer_version)},
          {"groups", value(fields.groups)}};
}

std::vector<std::string> keys_of(const Session& session, std::span<const uint32_t> tokens) {
  std::vector<std::string> keys;
  for (const Key& key : block_keys(session.root(), tokens, *session.fields().block_tokens))
    keys.push_back(to_hex(key));
  return keys;
}

void print(const Answer& answer, const std::string& question) {
  fmt::print("Question: {}\nAnswer:{}\n", question, answer.text);
  fmt::print("  first token after {:.1f} ms; {} of {} prompt tokens restored ({}, {:.1f} MiB)\n\n",
             answer.ttft_ms, answer.restored.tokens, answer.prompt.size(), answer.source(),
             static_cast<double>(answer.restored.bytes) / (1 << 20));
  std::fflush(stdout);
}

// Waits until what was stored has reached the disk, then for a signal.
Outcome<void> hold(Store* store) {
  if (store != nullptr) {
    if (auto synced = store->sync(kSyncTimeout); !synced) {
      return failure(synced.error().code, fmt::format("writes did not end: {}", to_string(synced.error())));
    }
  }
  fmt::print("writes ended\n");
  std::fflush(stdout);
  while (true) pause();
}

Outcome<void> close(Store& store) {
  auto abandoned = store.close(kSyncTimeout);
  if (!abandoned)
    return failure(abandoned.error().code, fmt::format("close: {}", to_string(abandoned.error())));
  if (*abandoned > 0)
    return failure(Code::kDeadline, fmt::format("close abandoned {} operations", *abandoned));
  return {};
}

Outcome<void> check(const AskOptions& options) {
  if (options.max_tokens < 1) return failure(Code::kInvalidArgument, "--max-tokens 0: at least 1 is allowed");
  if (options.rounds < 1) return failure(Code::kInvalidArgument, "--rounds 0: at least 1 is allowed");
  if (options.keys && options.no_cache) {
    return failure(Code::kInvalidArgument, "--keys: there are none with --no-cache");
  }
  return {};
}

}  // namespace

Outcome<void> run_ask(const AskOptions& options) {
  if (auto checked = check(options); !checked) return checked;
  auto document = read_document(options.document);
  if (!document) return std::unexpected(document.error());
  auto model = open_model(options.common);
  if (!model) return std::unexpected(model.error());
  Cache cache;
  if (!options.no_cache) {
    auto opened = open_cache(*model, options.common);
    if (!opened) return std::unexpected(opened.error());
    cache = *std::move(opened);
  }

  const PrefillProgress progress = terminal_progress();
  Json report = {{"model", options.common.model}, {"namespace", Json()}, {"answers", Json::array()}};
  if (cache.session) report["namespace"] = to_json(cache.session->fields());
  for (uint32_t round = 0; round < options.rounds; ++round) {
    for (const std::string& question : options.questions) {
      const auto prompt = [&] { return prompt_tokens(*model, *document, question); };
      auto answered = answer(*model, cache.session.get(), prompt, options.max_tokens, progress);
      if (!answered) return std::unexpected(answered.error());
      if (options.common.json != "-") print(*answered, question);
      report["answers"].push_back(to_json(*answered, question, round));
      if (options.keys) report["answers"].back()["keys"] = keys_of(*cache.session, answered->prompt);
    }
  }
  const std::string text = report.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  if (auto written = write_text(options.common.json, text); !written) return written;
  if (options.hold) return hold(cache.store.get());
  return cache.store ? close(*cache.store) : Outcome<void>{};
}

}  // namespace terrace::llama
