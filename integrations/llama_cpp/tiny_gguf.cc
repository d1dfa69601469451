#include "llama_cpp/tiny_gguf.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include <fmt/format.h>
#include <ggml.h>
#include <gguf.h>

namespace terrace::llama {
namespace {

constexpr uint32_t kHeadWidth = 32;
constexpr uint32_t kWindowTokens = 128;
constexpr uint32_t kControlTokens = 3;  // <unk>, <s>, </s>
constexpr uint32_t kVocabulary = kControlTokens + 256;
constexpr int32_t kTokenTypeUnknown = 2;
constexpr int32_t kTokenTypeControl = 3;
constexpr int32_t kTokenTypeByte = 6;

struct GgufDeleter {
  void operator()(gguf_context* gguf) const { gguf_free(gguf); }
};
struct GgmlDeleter {
  void operator()(ggml_context* context) const { ggml_free(context); }
};

// Draws reproducible weights. std::normal_distribution differs between libraries; a sum of uniforms does not.
class Weights {
 public:
  explicit Weights(uint64_t seed) : engine_(seed) {}

  float normal(float deviation) {
    float sum = 0;
    for (int i = 0; i < 4; ++i) sum += static_cast<float>(engine_() >> 40) * 0x1p-24F - 0.5F;
    return sum * deviation * std::sqrt(3.0F);
  }

 private:
  std::mt19937_64 engine_;
};

class Writer {
 public:
  explicit Writer(const TinyOptions& options)
      : options_(options), weights_(options.seed), gguf_(gguf_init_empty()) {
    const size_t bytes = weight_count() * sizeof(float) + (size_t{64} << 10) * (options.layers + 2);
    ggml_.reset(ggml_init({.mem_size = bytes, .mem_buffer = nullptr, .no_alloc = false}));
  }

  bool write(const std::string& path) {
    metadata();
    vocabulary();
    matrix("token_embd.weight", options_.width, kVocabulary, 1.0F);
    vector("output_norm.weight", options_.width, 1.0F);
    if (options_.kind != TinyKind::kSliding) matrix("output.weight", options_.width, kVocabulary);
    for (uint32_t layer = 0; layer < options_.layers; ++layer) {
      if (options_.kind == TinyKind::kRecurrent) {
        recurrent_layer(layer);
      } else {
        attention_layer(layer);
      }
    }
    return gguf_write_to_file(gguf_.get(), path.c_str(), false);
  }

 private:
  size_t weight_count() const {
    const size_t width = options_.width;
    return width * kVocabulary * 2 + options_.layers * (12 * width * width + 128 * width) + width;
  }

  const char* architecture() const {
    switch (options_.kind) {
      case TinyKind::kPlain:
        return "llama";
      case TinyKind::kSliding:
        return "cohere2";
      case TinyKind::kRecurrent:
        return "mamba";
    }
    return "llama";
  }

  std::string own(std::string_view key) const { return fmt::format("{}.{}", architecture(), key); }
  void number(std::string_view key, uint32_t value) {
    gguf_set_val_u32(gguf_.get(), own(key).c_str(), value);
  }
  void real(std::string_view key, float value) { gguf_set_val_f32(gguf_.get(), own(key).c_str(), value); }

  void metadata() {
    gguf_set_val_str(gguf_.get(), "general.architecture", architecture());
    gguf_set_val_str(gguf_.get(), "general.name", fmt::format("tiny-{}", architecture()).c_str());
    number("context_length", options_.context);
    number("embedding_length", options_.width);
    number("block_count", options_.layers);
    number("vocab_size", kVocabulary);
    if (options_.kind == TinyKind::kRecurrent) {
      number("feed_forward_length", 0);
      number("attention.head_count", 0);
      real("attention.layer_norm_rms_epsilon", 1e-5F);
      number("ssm.conv_kernel", 4);
      number("ssm.inner_size", 2 * options_.width);
      number("ssm.state_size", 16);
      number("ssm.time_step_rank", options_.width / 16);
      return;
    }
    number("feed_forward_length", 2 * options_.width);
    number("attention.head_count", options_.width / kHeadWidth);
    number("attention.head_count_kv", options_.width / kHeadWidth / 2);
    number("rope.dimension_count", kHeadWidth);
    real("rope.freq_base", 10000.0F);
    if (options_.kind == TinyKind::kSliding) {
      number("attention.sliding_window", kWindowTokens);
      real("attention.layer_norm_epsilon", 1e-5F);
      real("logit_scale", 1.0F);
    } else {
      real("attention.layer_norm_rms_epsilon", 1e-5F);
    }
  }

  void vocabulary() {
    std::vector<std::string> names = {"<unk>", "<s>", "</s>"};
    std::vector<int32_t> types = {kTokenTypeUnknown, kTokenTypeControl, kTokenTypeControl};
    for (uint32_t byte = 0; byte < 256; ++byte) {
      names.push_back(fmt::format("<0x{:02X}>", byte));
      types.push_back(kTokenTypeByte);
    }
    std::vector<const char*> texts;
    for (const std::string& name : names) texts.push_back(name.c_str());
    const std::vector<float> scores(names.size(), 0.0F);
    gguf_context* gguf = gguf_.get();
    gguf_set_val_str(gguf, "tokenizer.ggml.model", "llama");
    gguf_set_arr_str(gguf, "tokenizer.ggml.tokens", texts.data(), texts.size());
    gguf_set_arr_data(gguf, "tokenizer.ggml.scores", GGUF_TYPE_FLOAT32, scores.data(), scores.size());
    gguf_set_arr_data(gguf, "tokenizer.ggml.token_type", GGUF_TYPE_INT32, types.data(), types.size());
    gguf_set_val_u32(gguf, "tokenizer.ggml.unknown_token_id", 0);
    gguf_set_val_u32(gguf, "tokenizer.ggml.bos_token_id", 1);
    gguf_set_val_u32(gguf, "tokenizer.ggml.eos_token_id", 2);
    gguf_set_val_bool(gguf, "tokenizer.ggml.add_space_prefix", false);
  }

  void attention_layer(uint32_t layer) {
    const uint32_t width = options_.width;
    const std::string at = fmt::format("blk.{}.", layer);
    vector(at + "attn_norm.weight", width, 1.0F);
    matrix(at + "attn_q.weight", width, width);
    matrix(at + "attn_k.weight", width, width / 2);
    matrix(at + "attn_v.weight", width, width / 2);
    matrix(at + "attn_output.weight", width, width);
    if (options_.kind == TinyKind::kPlain) vector(at + "ffn_norm.weight", width, 1.0F);
    matrix(at + "ffn_gate.weight", width, 2 * width);
    matrix(at + "ffn_down.weight", 2 * width, width);
    matrix(at + "ffn_up.weight", width, 2 * width);
  }

  void recurrent_layer(uint32_t layer) {
    const uint32_t width = options_.width;
    const uint32_t inner = 2 * width;
    const uint32_t rank = width / 16;
    const std::string at = fmt::format("blk.{}.", layer);
    vector(at + "attn_norm.weight", width, 1.0F);
    matrix(at + "ssm_in.weight", width, 2 * inner);
    matrix(at + "ssm_conv1d.weight", 4, inner);
    vector(at + "ssm_conv1d.bias", inner, 0.0F);
    matrix(at + "ssm_x.weight", inner, rank + 2 * 16);
    matrix(at + "ssm_dt.weight", rank, inner);
    vector(at + "ssm_dt.bias", inner, 0.0F);
    constant(at + "ssm_a", 16, inner, -1.0F);
    vector(at + "ssm_d", inner, 1.0F);
    matrix(at + "ssm_out.weight", inner, width);
  }

  // Adds a tensor of `out` rows of `in` numbers and returns them to be filled.
  std::span<float> add(const std::string& name, uint32_t in, uint32_t out) {
    ggml_tensor* tensor = out == 1 ? ggml_new_tensor_1d(ggml_.get(), GGML_TYPE_F32, in)
                                   : ggml_new_tensor_2d(ggml_.get(), GGML_TYPE_F32, in, out);
    ggml_set_name(tensor, name.c_str());
    gguf_add_tensor(gguf_.get(), tensor);
    return {ggml_get_data_f32(tensor), size_t{in} * out};
  }

  // `deviation` 0 keeps the variance of what goes in.
  void matrix(const std::string& name, uint32_t in, uint32_t out, float deviation = 0) {
    if (deviation == 0) deviation = 1.0F / std::sqrt(static_cast<float>(in));
    for (float& value : add(name, in, out)) value = weights_.normal(deviation);
  }

  void constant(const std::string& name, uint32_t in, uint32_t out, float value) {
    std::ranges::fill(add(name, in, out), value);
  }

  void vector(const std::string& name, uint32_t size, float value) { constant(name, size, 1, value); }

  const TinyOptions& options_;
  Weights weights_;
  std::unique_ptr<gguf_context, GgufDeleter> gguf_;
  std::unique_ptr<ggml_context, GgmlDeleter> ggml_;
};

}  // namespace

Outcome<TinyKind> tiny_kind_from_name(std::string_view name) {
  if (name == "plain") return TinyKind::kPlain;
  if (name == "sliding") return TinyKind::kSliding;
  if (name == "recurrent") return TinyKind::kRecurrent;
  return failure(Code::kInvalidArgument,
                 fmt::format("model kind '{}': allowed are plain, sliding and recurrent", name));
}

Outcome<void> write_tiny_gguf(const std::string& path, const TinyOptions& options) {
  if (options.layers < 1 || options.layers > 64) {
    return failure(Code::kInvalidArgument, fmt::format("layers {}: allowed are 1 to 64", options.layers));
  }
  if (options.width < 64 || options.width > 2048 || options.width % 64 != 0) {
    return failure(Code::kInvalidArgument,
                   fmt::format("width {}: allowed are multiples of 64 from 64 to 2048", options.width));
  }
  if (!Writer(options).write(path)) {
    return failure(Code::kIo, fmt::format("{}: cannot be written", path));
  }
  return {};
}

}  // namespace terrace::llama
