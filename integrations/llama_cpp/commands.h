// The commands of terrace-llama, apart from its flags.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <terrace/error.h>
#include <terrace/store.h>

#include "llama_cpp/model.h"
#include "llama_cpp/session.h"

namespace terrace::llama {

struct CommonOptions {
  std::string model;
  std::string server;  // socket of a server whose store is used; empty: one of this process
  std::string store;   // empty: no disk tier
  uint64_t l1_bytes = uint64_t{1} << 30;
  uint64_t disk_bytes = uint64_t{4} << 30;
  uint32_t block_tokens = 64;
  uint32_t ubatch_tokens = 64;
  uint32_t context_tokens = 0;
  uint32_t threads = 0;
  bool flash_attention = false;
  std::string json;
};

struct AskOptions {
  CommonOptions common;
  std::string document;
  std::vector<std::string> questions;
  uint32_t max_tokens = 32;
  uint32_t rounds = 1;
  bool no_cache = false;
  bool hold = false;
  bool keys = false;  // names each prompt's blocks in the JSON
};

struct BenchOptions {
  CommonOptions common;
  std::vector<uint32_t> prompt_tokens = {1024, 2048, 4096};
  uint32_t runs = 5;
  uint64_t seed = 1;
};

// A store and the session over it; the session goes first.
struct Cache {
  std::unique_ptr<Store> store;
  std::unique_ptr<Session> session;
};

// Opens the store that `options` describe and waits until it has announced what it holds.
Outcome<Cache> open_cache(Model& model, const CommonOptions& options);
Outcome<Model> open_model(const CommonOptions& options);

// Answers every question in every round, prints the answers, and writes JSON: {"model", "namespace",
// "answers": [one object per question and round]}.
Outcome<void> run_ask(const AskOptions& options);

// Time to first token of random prompts: computed, from L1, and from disk after the store was opened again.
// JSON is a list of rows {name, ours, theirs, unit, ratio, runs, min, max}; `theirs` is the computed prefill.
Outcome<void> run_bench(const BenchOptions& options);

// Writes to a file, or to standard output for "-". An empty path does nothing.
Outcome<void> write_text(const std::string& path, const std::string& text);

}  // namespace terrace::llama
