#include <algorithm>
#include <filesystem>
#include <functional>
#include <random>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "llama_cpp/answer.h"
#include "llama_cpp/commands.h"

namespace terrace::llama {
namespace {

using Json = nlohmann::ordered_json;

constexpr Timeout kCloseTimeout = std::chrono::seconds(60);

// Removes the directory it made; a directory the user named stays.
class BenchDirectory {
 public:
  explicit BenchDirectory(const std::string& named) : path_(named) {
    if (!path_.empty()) return;
    std::string pattern = (std::filesystem::temp_directory_path() / "terrace-llama-bench-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) return;
    made_ = true;
    path_ = pattern;
  }
  ~BenchDirectory() {
    std::error_code ignored;
    if (made_) std::filesystem::remove_all(path_, ignored);
  }
  BenchDirectory(const BenchDirectory&) = delete;
  BenchDirectory& operator=(const BenchDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  bool made_ = false;
  std::string path_;
};

struct Sample {
  double cold_ms = 0, l1_ms = 0, disk_ms = 0;
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

std::vector<uint32_t> random_prompt(const Model& model, std::mt19937_64& random, uint32_t count) {
  const auto vocabulary = static_cast<uint32_t>(llama_vocab_n_tokens(llama_model_get_vocab(model.model())));
  std::vector<uint32_t> tokens(count);
  for (uint32_t& token : tokens) token = static_cast<uint32_t>(random() % vocabulary);
  return tokens;
}

// Time to first token, with the number of tokens that had to be restored checked.
Outcome<double> measure(Model& model, Session& session, const std::vector<uint32_t>& tokens,
                        uint32_t restored) {
  auto answered = answer(model, &session, [&] { return tokens; }, 1);
  if (!answered) return std::unexpected(answered.error());
  if (answered->restored.tokens != restored) {
    return failure(Code::kInternal, fmt::format("{} of {} tokens were restored, not {}",
                                                answered->restored.tokens, tokens.size(), restored));
  }
  return answered->ttft_ms;
}

Outcome<Sample> sample(Model& model, Cache& cache, const CommonOptions& options,
                       const std::vector<uint32_t>& tokens) {
  const auto total = static_cast<uint32_t>(tokens.size());
  const uint32_t whole = (total - 1) / options.block_tokens * options.block_tokens;
  Sample result;
  for (double* ms : {&result.cold_ms, &result.l1_ms, &result.disk_ms}) {
    if (ms == &result.disk_ms) {  // a new process would find the same: nothing in memory
      cache.session.reset();
      if (auto closed = cache.store->close(kCloseTimeout); !closed) {
        return failure(closed.error().code, fmt::format("close: {}", to_string(closed.error())));
      }
      cache.store.reset();
      auto opened = open_cache(model, options);
      if (!opened) return std::unexpected(opened.error());
      cache = *std::move(opened);
    }
    auto measured = measure(model, *cache.session, tokens, ms == &result.cold_ms ? 0 : whole);
    if (!measured) return std::unexpected(measured.error());
    *ms = *measured;
  }
  return result;
}

Json row(const std::string& name, const std::vector<Sample>& samples, double Sample::* ours) {
  std::vector<double> values;
  std::vector<double> cold;
  for (const Sample& one : samples) {
    values.push_back(one.*ours);
    cold.push_back(one.cold_ms);
  }
  const double middle = median(values);
  const double against = median(cold);
  fmt::print(stderr, "{:<34} {:>9.1f} ms   computed {:>9.1f} ms   {:>6.1f} times sooner\n", name, middle,
             against, against / middle);
  return {{"name", name},
          {"ours", middle},
          {"theirs", against},
          {"unit", "ms"},
          {"ratio", against / middle},
          {"runs", samples.size()},
          {"min", std::ranges::min(values)},
          {"max", std::ranges::max(values)}};
}

Outcome<void> check(const BenchOptions& options, const Model& model) {
  if (options.runs < 1) return failure(Code::kInvalidArgument, "--runs 0: at least 1 is allowed");
  for (const uint32_t count : options.prompt_tokens) {
    if (count > options.common.block_tokens && count < model.context_tokens()) continue;
    return failure(
        Code::kInvalidArgument,
        fmt::format("--tokens {}: allowed is more than a block ({}) and less than the context ({})", count,
                    options.common.block_tokens, model.context_tokens()));
  }
  return {};
}

}  // namespace

Outcome<void> run_bench(const BenchOptions& options) {
  auto model = open_model(options.common);
  if (!model) return std::unexpected(model.error());
  if (auto checked = check(options, *model); !checked) return checked;
  const BenchDirectory directory(options.common.store);
  CommonOptions common = options.common;
  common.store = directory.path();
  auto cache = open_cache(*model, common);
  if (!cache) return std::unexpected(cache.error());

  std::mt19937_64 random(options.seed);
  Json rows = Json::array();
  for (const uint32_t count : options.prompt_tokens) {
    std::vector<Sample> samples;
    for (uint32_t run = 0; run < options.runs; ++run) {
      auto one = sample(*model, *cache, common, random_prompt(*model, random, count));
      if (!one) return std::unexpected(one.error());
      samples.push_back(*one);
    }
    rows.push_back(row(fmt::format("llama ttft, {} tokens, l1", count), samples, &Sample::l1_ms));
    rows.push_back(row(fmt::format("llama ttft, {} tokens, disk", count), samples, &Sample::disk_ms));
  }
  return write_text(options.common.json, rows.dump(2) + "\n");
}

}  // namespace terrace::llama
