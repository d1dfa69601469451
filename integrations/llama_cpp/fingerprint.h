// Names everything that must be equal for a llama.cpp sequence state to be usable: K1's ten fields for a
// loaded model and its context. Two contexts with the same Namespace can exchange states; any difference is a
// miss.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <llama.h>

#include <terrace/error.h>
#include <terrace/key.h>

namespace terrace::llama {

// How a model's state can be cut.
enum class StateKind : uint8_t {
  kBlocks,       // by token range: one stored block per block_tokens tokens, shared by all prompts with that
                 // prefix
  kCheckpoints,  // only whole, at the token it stands at: sliding window, recurrent and hybrid models
};

// Errors: kUnsupported with the reason, for models whose state is not that of a prefix at all (encoders,
// diffusion, embedding models) and for context parameters under which it cannot be cut (not kv_unified,
// n_seq_max < 2).
Outcome<StateKind> state_kind(const llama_context* context, const llama_context_params& params);

struct FingerprintOptions {
  std::string model_path;              // the GGUF the model was loaded from; of a split model, its first file
  uint32_t block_tokens = 64;          // 16 to 512
  std::optional<std::string> adapter;  // name every LoRA, control vector or metadata override in use here
  std::optional<std::string> tenant_salt;  // separates tenants that must not see each other's prefixes
};

// Hashes the GGUF (metadata, tensor table and tensor data; 60 ms for 100 MB) and describes the context.
// Errors: state_kind's; kUnsupported when flash attention is left to llama.cpp (auto), since it decides the
// layout; kInvalidArgument for block_tokens; kIo or kNotFound naming the file.
Outcome<Namespace> describe(const llama_context* context, const llama_context_params& params,
                            const FingerprintOptions& options);

}  // namespace terrace::llama
