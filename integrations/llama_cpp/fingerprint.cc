#include "llama_cpp/fingerprint.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <ggml.h>
#include <openssl/evp.h>

namespace terrace::llama {
namespace {

// Version of what session.cc puts into a block; a change there is a new number here.
constexpr uint32_t kProducerVersion = 1;

struct DigestDeleter {
  void operator()(EVP_MD_CTX* digest) const { EVP_MD_CTX_free(digest); }
};
struct FileCloser {
  void operator()(std::FILE* file) const { (void)std::fclose(file); }
};

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new()) {
    ok_ = context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
  }

  void add(const void* data, size_t size) { ok_ = ok_ && EVP_DigestUpdate(context_.get(), data, size); }
  // Empty when the crypto library failed.
  std::string hex() {
    std::array<uint8_t, 32> bytes{};
    unsigned size = 0;
    if (!ok_ || !EVP_DigestFinal_ex(context_.get(), bytes.data(), &size)) return {};
    std::string text;
    for (const uint8_t byte : bytes) text += fmt::format("{:02x}", byte);
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, DigestDeleter> context_;
  bool ok_ = false;
};

std::string metadata(const llama_model* model, std::string_view key) {
  std::array<char, 512> value{};
  const int32_t length =
      llama_model_meta_val_str(model, std::string(key).c_str(), value.data(), value.size());
  return length < 0 ? std::string() : std::string(value.data());
}

Outcome<void> add_file(Sha256& digest, const std::string& path) {
  const std::unique_ptr<std::FILE, FileCloser> file(std::fopen(path.c_str(), "rb"));
  if (!file) {
    const Code code = errno == ENOENT ? Code::kNotFound : Code::kIo;
    return failure(code, fmt::format("model {}: cannot be opened to fingerprint it", path), errno);
  }
  std::vector<uint8_t> buffer(size_t{1} << 20);
  size_t size = 0;
  while ((size = std::fread(buffer.data(), 1, buffer.size(), file.get())) > 0)
    digest.add(buffer.data(), size);
  if (std::ferror(file.get())) {
    return failure(Code::kIo, fmt::format("model {}: reading it to fingerprint it failed", path), errno);
  }
  return {};
}

// The files of a split model in their order; a model in one file is that file.
Outcome<std::vector<std::string>> model_files(const llama_model* model, const std::string& path) {
  const std::string count_text = metadata(model, "split.count");
  const int count = count_text.empty() ? 0 : std::atoi(count_text.c_str());
  if (count <= 1) return std::vector<std::string>{path};
  std::array<char, 4096> prefix{};
  if (llama_split_prefix(prefix.data(), prefix.size(), path.c_str(), 0, count) <= 0) {
    return failure(
        Code::kUnsupported,
        fmt::format("model {}: the first of {} files, but not named like one, so the rest is not found", path,
                    count));
  }
  std::vector<std::string> files;
  for (int i = 0; i < count; ++i) {
    std::array<char, 4096> file{};
    (void)llama_split_path(file.data(), file.size(), prefix.data(), i, count);
    files.emplace_back(file.data());
  }
  return files;
}

Outcome<std::string> file_fingerprint(const llama_model* model, const std::string& path) {
  auto files = model_files(model, path);
  if (!files) return std::unexpected(files.error());
  Sha256 digest;
  for (const std::string& file : *files) {
    if (auto added = add_file(digest, file); !added) return std::unexpected(added.error());
  }
  std::string hex = digest.hex();
  if (hex.empty()) return failure(Code::kInternal, "the crypto library has no SHA-256");
  return "gguf-sha256:" + hex;
}

std::string model_id(const llama_model* model) {
  std::string name = metadata(model, "general.name");
  if (name.empty()) name = metadata(model, "general.basename");
  if (name.empty()) name = metadata(model, "general.architecture");
  return name;
}

// Keys are stored after RoPE, so everything that turns them is part of the layout. LongRoPE picks its factors
// by the context's size, so there that counts as well.
std::string rope(const llama_context* context, const llama_context_params& params) {
  const llama_model* model = llama_get_model(context);
  const std::string trained = metadata(model, metadata(model, "general.architecture") + ".rope.scaling.type");
  const bool by_context =
      trained == "longrope" || params.rope_scaling_type == LLAMA_ROPE_SCALING_TYPE_LONGROPE;
  return fmt::format("{}:{}:{}:{}:{}:{}:{}:{}:{}", static_cast<int>(params.rope_scaling_type),
                     params.rope_freq_base, params.rope_freq_scale, params.yarn_ext_factor,
                     params.yarn_attn_factor, params.yarn_beta_fast, params.yarn_beta_slow,
                     params.yarn_orig_ctx, by_context ? llama_n_ctx_seq(context) : 0);
}

std::string layout(const llama_context* context, const llama_context_params& params, StateKind kind) {
  return fmt::format(
      "llama_state_seq/{};unified={};flash={};v_transposed={};swa_full={};attention={};rope={}",
      kind == StateKind::kBlocks ? "block" : "checkpoint", params.kv_unified ? 1 : 0,
      params.flash_attn_type == LLAMA_FLASH_ATTN_TYPE_ENABLED ? 1 : 0,
      params.flash_attn_type == LLAMA_FLASH_ATTN_TYPE_ENABLED ? 0 : 1, params.swa_full ? 1 : 0,
      static_cast<int>(params.attention_type), rope(context, params));
}

std::unexpected<Failure> unsupported(const llama_model* model, std::string_view why) {
  return failure(Code::kUnsupported, fmt::format("model '{}' is not cached: {}", model_id(model), why));
}

}  // namespace

Outcome<StateKind> state_kind(const llama_context* context, const llama_context_params& params) {
  const llama_model* model = llama_get_model(context);
  if (llama_get_memory(context) == nullptr) return unsupported(model, "it keeps no state between tokens");
  if (llama_model_has_encoder(model)) return unsupported(model, "its state depends on an encoder's input");
  if (llama_model_is_diffusion(model))
    return unsupported(model, "a diffusion model's state is not that of a prefix");
  if (params.ctx_type != LLAMA_CONTEXT_TYPE_DEFAULT) {
    return unsupported(model, "only ordinary contexts hold the state of a prefix (ctx_type)");
  }
  if (llama_model_is_recurrent(model) || llama_model_is_hybrid(model) || llama_model_n_swa(model) > 0) {
    return StateKind::kCheckpoints;
  }
  // Blocks are cut with a second sequence over the same cells, which llama.cpp can only do in a unified
  // cache.
  if (!params.kv_unified || llama_n_seq_max(context) < 2) {
    return unsupported(model, "the context needs kv_unified = true and n_seq_max of 2 or more");
  }
  return StateKind::kBlocks;
}

Outcome<Namespace> describe(const llama_context* context, const llama_context_params& params,
                            const FingerprintOptions& options) {
  if (options.block_tokens < 16 || options.block_tokens > 512) {
    return failure(Code::kInvalidArgument,
                   fmt::format("block_tokens {}: allowed are 16 to 512", options.block_tokens));
  }
  const auto kind = state_kind(context, params);
  if (!kind) return std::unexpected(kind.error());
  const llama_model* model = llama_get_model(context);
  if (params.flash_attn_type == LLAMA_FLASH_ATTN_TYPE_AUTO) {
    return unsupported(model, "flash attention decides how values are laid out: set it on or off, not auto");
  }
  auto fingerprint = file_fingerprint(model, options.model_path);
  if (!fingerprint) return std::unexpected(fingerprint.error());
  return Namespace{
      .model_id = model_id(model),
      .model_fingerprint = *std::move(fingerprint),
      .kv_dtype = fmt::format("k={},v={}", ggml_type_name(params.type_k), ggml_type_name(params.type_v)),
      .layout_id = layout(context, params, *kind),
      .block_tokens = options.block_tokens,
      .producer = fmt::format("llama.cpp {} ggml {} {}", llama_version(), ggml_version(), ggml_commit()),
      .producer_version = kProducerVersion,
      .adapter = options.adapter,
      .tenant_salt = options.tenant_salt,
      .groups = 1,
  };
}

}  // namespace terrace::llama
