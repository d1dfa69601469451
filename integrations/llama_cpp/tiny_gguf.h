// A tiny model with random weights, for tests and for trying the program without a download: real shapes, no
// sense.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <terrace/error.h>

namespace terrace::llama {

enum class TinyKind : uint8_t {
  kPlain,      // llama: full attention in every layer, state can be cut by token range
  kSliding,    // cohere2: three of four layers see a window of 128 tokens only
  kRecurrent,  // mamba: no attention at all, the state belongs to the end of the sequence
};

// "plain", "sliding" or "recurrent"; anything else is an error that lists them.
Outcome<TinyKind> tiny_kind_from_name(std::string_view name);

struct TinyOptions {
  TinyKind kind = TinyKind::kPlain;
  uint64_t seed = 1;        // same seed, same file, byte for byte
  uint32_t layers = 4;      // 1 to 64
  uint32_t width = 128;     // embedding width, a multiple of 64, 64 to 2048
  uint32_t context = 8192;  // training context the file declares
};

// Writes the file (0.5 s for the largest, 4 MB for the default); its vocabulary is one token a byte.
// Errors: kInvalidArgument for a value out of range, kIo when the file cannot be written.
Outcome<void> write_tiny_gguf(const std::string& path, const TinyOptions& options);

}  // namespace terrace::llama
