// Asks a model one prompt, greedily, with or without a store behind it, and measures it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "llama_cpp/model.h"
#include "llama_cpp/session.h"

namespace terrace::llama {

struct Answer {
  double ttft_ms = 0;   // from submission, the model being loaded, to the first generated token
  double total_ms = 0;  // to the last one, stores not included
  Restored restored;
  Stored stored;
  std::vector<uint32_t> prompt;
  std::vector<uint32_t> output;
  std::string text;

  std::string source() const;  // "l1", "disk", "l1+disk" or "none"
};

// Told after each batch of a prefill: tokens done (restored ones included) and in all; false stops it.
using PrefillProgress = std::function<bool(uint32_t done, uint32_t total)>;

// Makes the prompt's tokens inside the measured time; the last argument of `answer`.
using Prompt = std::function<std::vector<uint32_t>()>;

// Answers one prompt in sequence 0 of `model`, starting from an empty sequence. `session` may be null: no
// cache. What the prompt's prefill computed is stored after the last generated token, out of the way of the
// answer. Errors: kLimitExceeded when prompt and answer do not fit the context; decode's.
Outcome<Answer> answer(Model& model, Session* session, const Prompt& prompt, uint32_t max_tokens,
                       const PrefillProgress& progress = {});

}  // namespace terrace::llama
