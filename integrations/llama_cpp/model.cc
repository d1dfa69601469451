#include "llama_cpp/model.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <mutex>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

namespace terrace::llama {
namespace {

// libllama logs through one process-wide callback: its last error becomes part of our message, the rest is
// dropped.
std::mutex last_error_mutex;
std::string last_error;

void keep_errors(ggml_log_level level, const char* text, void*) {
  if (level != GGML_LOG_LEVEL_ERROR) return;
  const std::lock_guard lock(last_error_mutex);
  last_error = text;
  while (!last_error.empty() && last_error.back() == '\n') last_error.pop_back();
}

std::string take_error() {
  const std::lock_guard lock(last_error_mutex);
  return std::exchange(last_error, {});
}

void start_library() {
  static std::once_flag once;
  std::call_once(once, [] {
    llama_log_set(keep_errors, nullptr);
    ggml_backend_load_all();
    llama_backend_init();
  });
}

Outcome<void> check_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::array<char, 4> magic{};
  if (!file.is_open() || !file.read(magic.data(), magic.size())) {
    const int error = file.is_open() ? 0 : errno;
    if (error == ENOENT) return failure(Code::kNotFound, fmt::format("model {}: no such file", path), error);
    if (error == EACCES)
      return failure(Code::kPermission, fmt::format("model {}: permission denied", path), error);
    return failure(Code::kCorrupt, fmt::format("model {}: cannot be read as a file", path), error);
  }
  if (std::memcmp(magic.data(), "GGUF", magic.size()) != 0) {
    return failure(Code::kCorrupt, fmt::format("model {}: not a GGUF file", path));
  }
  return {};
}

}  // namespace

Outcome<void> ModelOptions::validate() const {
  if (ubatch_tokens < 1 || ubatch_tokens > 4096) {
    return failure(Code::kInvalidArgument,
                   fmt::format("ubatch {}: allowed are 1 to 4096 tokens", ubatch_tokens));
  }
  if (threads > 1024) {
    return failure(Code::kInvalidArgument,
                   fmt::format("threads {}: allowed are 0 (one per CPU) to 1024", threads));
  }
  return check_file(path);
}

Outcome<Model> Model::open(const ModelOptions& options) {
  if (auto valid = options.validate(); !valid) return std::unexpected(valid.error());
  start_library();
  take_error();
  Model result;
  result.path_ = options.path;
  result.model_.reset(llama_model_load_from_file(options.path.c_str(), llama_model_default_params()));
  if (!result.model_) {
    return failure(Code::kCorrupt,
                   fmt::format("model {}: llama.cpp cannot load it: {}", options.path, take_error()));
  }
  const uint32_t threads =
      options.threads ? options.threads : std::max(1U, std::thread::hardware_concurrency());
  llama_context_params params = llama_context_default_params();
  params.n_ctx = options.context_tokens;
  params.n_batch = options.ubatch_tokens;
  params.n_ubatch = options.ubatch_tokens;
  params.n_seq_max = 2;  // one to decode in, one to cut blocks with (session.h)
  params.n_threads = static_cast<int32_t>(threads);
  params.n_threads_batch = params.n_threads;
  params.flash_attn_type =
      options.flash_attention ? LLAMA_FLASH_ATTN_TYPE_ENABLED : LLAMA_FLASH_ATTN_TYPE_DISABLED;
  params.type_k = options.kv_type;
  params.type_v = options.kv_type;
  params.kv_unified = true;
  params.swa_full = false;
  params.no_perf = true;
  result.params_ = params;
  result.context_.reset(llama_init_from_model(result.model_.get(), params));
  if (!result.context_) {
    return failure(Code::kNoMemory, fmt::format("model {}: no context of {} tokens: {}", options.path,
                                                options.context_tokens, take_error()));
  }
  return result;
}

std::vector<uint32_t> Model::tokenize(std::string_view text, bool first) const {
  const llama_vocab* vocab = llama_model_get_vocab(model_.get());
  std::vector<llama_token> tokens(text.size() + 8);
  const auto size = static_cast<int32_t>(text.size());
  int32_t count = llama_tokenize(vocab, text.data(), size, tokens.data(), static_cast<int32_t>(tokens.size()),
                                 first, false);
  if (count < 0) {
    tokens.resize(static_cast<size_t>(-count));
    count = llama_tokenize(vocab, text.data(), size, tokens.data(), -count, first, false);
  }
  return {tokens.begin(), tokens.begin() + std::max(count, 0)};
}

std::string Model::text_of(uint32_t token) const {
  std::string text(256, '\0');
  const int32_t length =
      llama_token_to_piece(llama_model_get_vocab(model_.get()), static_cast<llama_token>(token), text.data(),
                           static_cast<int32_t>(text.size()), 0, false);
  text.resize(static_cast<size_t>(std::max(length, 0)));
  return text;
}

bool Model::is_end(uint32_t token) const {
  return llama_vocab_is_eog(llama_model_get_vocab(model_.get()), static_cast<llama_token>(token));
}

Outcome<void> Model::decode(std::span<const uint32_t> tokens, uint32_t position,
                            const std::function<bool(uint32_t)>& progress) {
  const uint32_t ubatch = ubatch_tokens();
  llama_batch batch = llama_batch_init(static_cast<int32_t>(ubatch), 0, 1);
  const std::unique_ptr<llama_batch, void (*)(llama_batch*)> owner(
      &batch, [](llama_batch* b) { llama_batch_free(*b); });
  uint32_t done = 0;
  while (done < tokens.size()) {
    const uint32_t at = position + done;
    const auto left = static_cast<uint32_t>(tokens.size()) - done;
    const uint32_t count = std::min(left, ubatch - at % ubatch);
    for (uint32_t i = 0; i < count; ++i) {
      batch.token[i] = static_cast<llama_token>(tokens[done + i]);
      batch.pos[i] = static_cast<llama_pos>(at + i);
      batch.n_seq_id[i] = 1;
      batch.seq_id[i][0] = 0;
      batch.logits[i] = i + 1 == left;
    }
    batch.n_tokens = static_cast<int32_t>(count);
    if (const int32_t code = llama_decode(context_.get(), batch); code != 0) {
      return failure(Code::kNoRoom,
                     fmt::format("decode at token {} failed with {} ({} tokens of context): {}", at, code,
                                 context_tokens(), take_error()));
    }
    done += count;
    if (progress && !progress(done)) return failure(Code::kCancelled, "decode stopped");
  }
  return {};
}

std::span<const float> Model::logits() const {
  const float* first = llama_get_logits_ith(context_.get(), -1);
  if (first == nullptr) return {};
  return {first, static_cast<size_t>(llama_vocab_n_tokens(llama_model_get_vocab(model_.get())))};
}

uint32_t Model::likeliest() const {
  const std::span<const float> values = logits();
  return static_cast<uint32_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

void Model::clear() {
  llama_memory_clear(llama_get_memory(context_.get()), false);
}

}  // namespace terrace::llama
