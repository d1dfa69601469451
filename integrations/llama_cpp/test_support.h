// What the tests of this folder share: a scratch directory, tiny models, and shorthands that fail the test.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <terrace/store.h>

#include "llama_cpp/model.h"
#include "llama_cpp/session.h"
#include "llama_cpp/tiny_gguf.h"

namespace terrace::llama::test {

inline constexpr uint32_t kBlockTokens = 64;

// The value, or a failed test that says why not.
template <class T>
T must(Outcome<T> outcome) {
  if (!outcome) throw std::runtime_error(outcome.error().message);
  return *std::move(outcome);
}

class Scratch {
 public:
  Scratch() {
    std::string pattern = (std::filesystem::temp_directory_path() / "terrace-llama-test-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no scratch directory");
    path_ = pattern;
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  std::string file(const std::string& name) const { return (path_ / name).string(); }

  std::string tiny(TinyKind kind = TinyKind::kPlain, uint64_t seed = 1) const {
    std::string path =
        file("tiny-" + std::to_string(static_cast<int>(kind)) + "-" + std::to_string(seed) + ".gguf");
    if (const auto written = write_tiny_gguf(path, {.kind = kind, .seed = seed, .layers = 2}); !written) {
      throw std::runtime_error(written.error().message);
    }
    return path;
  }

 private:
  std::filesystem::path path_;
};

inline Model load(const std::string& path, bool flash_attention = false) {
  return must(
      Model::open({.path = path, .context_tokens = 1024, .threads = 1, .flash_attention = flash_attention}));
}

// A store in memory only, or with a disk tier in `directory`.
inline std::unique_ptr<Store> open_store(const std::string& directory = {}) {
  StoreOptions options;
  options.l1.budget = uint64_t{64} << 20;
  if (!directory.empty()) {
    TierOptions disk;
    disk.disk.paths = {directory};
    disk.disk.capacity = uint64_t{256} << 20;
    options.tiers.push_back(disk);
  }
  auto store = must(Store::open(options));
  EXPECT_TRUE(store->wait_recovered(std::chrono::seconds(30)));
  return store;
}

inline SessionOptions session_options(const Model& model) {
  return {.fingerprint = {.model_path = model.path(),
                          .block_tokens = kBlockTokens,
                          .adapter = {},
                          .tenant_salt = {}},
          .store_timeout = std::chrono::seconds(10)};
}

inline Session open_session(Model& model, Store& store) {
  return must(Session::open(model.context(), model.params(), store, session_options(model)));
}

// `count` tokens of the tiny vocabulary; `salt` starts another text.
inline std::vector<uint32_t> some_tokens(uint32_t count, uint32_t salt = 0) {
  std::vector<uint32_t> tokens(count);
  for (uint32_t i = 0; i < count; ++i) tokens[i] = 3 + (i * 37 + i * i % 91 + salt * 101) % 256;
  return tokens;
}

// Prefill from `position`, and the logits it ends with.
inline std::vector<float> logits_after(Model& model, std::span<const uint32_t> tokens,
                                       uint32_t position = 0) {
  const auto decoded = model.decode(tokens.subspan(position), position);
  if (!decoded) throw std::runtime_error(decoded.error().message);
  return {model.logits().begin(), model.logits().end()};
}

inline std::vector<float> computed_logits(const std::string& path, std::span<const uint32_t> tokens,
                                          bool flash_attention = false) {
  Model model = load(path, flash_attention);
  return logits_after(model, tokens);
}

}  // namespace terrace::llama::test
