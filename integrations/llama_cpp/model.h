// A loaded GGUF model with one context, set up so that Terrace can cut its state: what terrace-llama and the
// tests run on. A program that has its own llama_context uses fingerprint.h and session.h directly.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <llama.h>

#include <terrace/error.h>

namespace terrace::llama {

struct ModelOptions {
  std::string path;
  uint32_t context_tokens = 0;  // 0 = what the model was trained with
  uint32_t ubatch_tokens = 64;  // tokens decoded together, 1 to 4096
  uint32_t threads = 0;         // 0 = one per CPU
  // Off: on CPUs llama.cpp runs batches below its tile of 64 tokens many times slower with it, and what
  // follows a restored prefix is such a batch (README.md has the figures).
  bool flash_attention = false;
  ggml_type kv_type = GGML_TYPE_F16;

  Outcome<void> validate() const;
};

// Not thread-safe; one thread at a time, as llama.cpp asks.
class Model {
 public:
  // Errors name the path: kNotFound, kPermission, kCorrupt (not a GGUF that llama.cpp loads), kNoMemory.
  static Outcome<Model> open(const ModelOptions& options);

  llama_context* context() const { return context_.get(); }
  const llama_model* model() const { return model_.get(); }
  const llama_context_params& params() const { return params_; }
  const std::string& path() const { return path_; }
  uint32_t context_tokens() const { return llama_n_ctx(context_.get()); }
  uint32_t ubatch_tokens() const { return llama_n_ubatch(context_.get()); }

  // `first` adds what the model wants at the start of a text (its beginning-of-sequence token).
  std::vector<uint32_t> tokenize(std::string_view text, bool first) const;
  std::string text_of(uint32_t token) const;
  bool is_end(uint32_t token) const;

  // Decodes `tokens` at `position` of sequence 0 in batches of ubatch_tokens that start at multiples of it,
  // so that a prefill resumed at such a multiple runs the very batches of an uninterrupted one. Logits of the
  // last token are kept. `progress` is called with the tokens done after each batch; it may return false to
  // stop (kCancelled).
  Outcome<void> decode(std::span<const uint32_t> tokens, uint32_t position,
                       const std::function<bool(uint32_t)>& progress = {});
  std::span<const float> logits() const;
  uint32_t likeliest() const;
  void clear();

 private:
  struct ModelDeleter {
    void operator()(llama_model* model) const { llama_model_free(model); }
  };
  struct ContextDeleter {
    void operator()(llama_context* context) const { llama_free(context); }
  };

  Model() = default;

  std::string path_;
  llama_context_params params_{};
  std::unique_ptr<llama_model, ModelDeleter> model_;
  std::unique_ptr<llama_context, ContextDeleter> context_;
};

}  // namespace terrace::llama
