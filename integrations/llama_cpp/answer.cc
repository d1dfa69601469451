#include "llama_cpp/answer.h"

#include <chrono>

#include <fmt/format.h>

namespace terrace::llama {
namespace {

using SteadyClock = std::chrono::steady_clock;

double ms_since(SteadyClock::time_point start) {
  return std::chrono::duration<double, std::milli>(SteadyClock::now() - start).count();
}

void add(Stored& sum, const Stored& one) {
  sum.blocks += one.blocks;
  sum.present += one.present;
  sum.dropped += one.dropped;
  sum.bytes += one.bytes;
}

// Restores what there is and decodes the rest. A checkpointed model is stored on the way: its state is that
// of the token it stands at, and cannot be cut afterwards.
Outcome<void> prefill(Model& model, Session* session, std::span<const uint32_t> tokens, Answer& answer,
                      const PrefillProgress& progress) {
  const auto total = static_cast<uint32_t>(tokens.size());
  if (session != nullptr) {
    answer.restored = session->restore(tokens);
  } else {
    model.clear();
  }
  uint32_t position = answer.restored.tokens;
  while (position < total) {
    const uint32_t stop = session != nullptr ? session->next_stop(position, total) : total;
    const auto report = [&](uint32_t done) { return !progress || progress(position + done, total); };
    if (auto decoded = model.decode(tokens.subspan(position, stop - position), position, report); !decoded) {
      return decoded;
    }
    position = stop;
    if (position < total) add(answer.stored, session->store(tokens.first(position)));
  }
  return {};
}

}  // namespace

std::string Answer::source() const {
  if (restored.blocks_l1 > 0 && restored.blocks_tier > 0) return "l1+disk";
  if (restored.blocks_l1 > 0) return "l1";
  return restored.blocks_tier > 0 ? "disk" : "none";
}

Outcome<Answer> answer(Model& model, Session* session, const Prompt& prompt, uint32_t max_tokens,
                       const PrefillProgress& progress) {
  const auto start = SteadyClock::now();
  Answer result;
  result.prompt = prompt();
  const std::span<const uint32_t> tokens = result.prompt;
  if (tokens.empty()) return failure(Code::kInvalidArgument, "the prompt has no tokens");
  if (tokens.size() + max_tokens > model.context_tokens()) {
    return failure(
        Code::kLimitExceeded,
        fmt::format("the prompt has {} tokens and the answer may have {}: more than the context's {}; "
                    "raise --ctx or shorten the document",
                    tokens.size(), max_tokens, model.context_tokens()));
  }
  if (auto filled = prefill(model, session, tokens, result, progress); !filled) {
    return std::unexpected(filled.error());
  }
  uint32_t next = model.likeliest();
  result.ttft_ms = ms_since(start);
  auto position = static_cast<uint32_t>(tokens.size());
  while (result.output.size() < max_tokens && !model.is_end(next)) {
    result.output.push_back(next);
    result.text += model.text_of(next);
    if (result.output.size() == max_tokens) break;
    if (auto decoded = model.decode({&next, 1}, position++); !decoded)
      return std::unexpected(decoded.error());
    next = model.likeliest();
  }
  result.total_ms = ms_since(start);
  if (session != nullptr) add(result.stored, session->store(tokens));
  return result;
}

}  // namespace terrace::llama
