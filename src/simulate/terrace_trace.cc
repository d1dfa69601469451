// Terrace's own JSONL: one request a line, `{"seconds": 1.5, "blocks": [7, 8, 9]}`; an id stands for its
// whole prefix. `namespace` (any text) keeps ids apart; `block_tokens` on any line says how large the blocks
// are.
#include <map>

#include <fmt/format.h>

#include "simulate/fields.h"
#include "simulate/trace_reader.h"

namespace terrace::simulate {
namespace {

class Lines {
 public:
  Outcome<void> take(const Json& line) {
    constexpr double kSecond = 1e9;
    const auto time = time_field(line, "seconds", kSecond);
    if (!time) return std::unexpected(time.error());
    if (auto ok = ids_field(line, "blocks", ids_); !ok) return ok;
    if (auto ok = take_block_tokens(line); !ok) return ok;
    std::string name;
    if (const auto field = line.find("namespace"); field != line.end()) {
      if (!field->is_string()) return failure(Code::kInvalidArgument, "\"namespace\" is no text");
      name = field->get<std::string>();
    }
    const auto number = names_.try_emplace(name, static_cast<uint32_t>(names_.size())).first->second;
    return builder_.add(*time, number, ids_);
  }

  Trace finish() && { return std::move(builder_).finish(block_tokens_); }

 private:
  Outcome<void> take_block_tokens(const Json& line) {
    const auto field = line.find("block_tokens");
    if (field == line.end()) return {};
    const uint64_t tokens = field->is_number_unsigned() ? field->get<uint64_t>() : 0;
    if (tokens == 0 || tokens > (1 << 20)) {
      return failure(Code::kInvalidArgument, "\"block_tokens\" is no whole number from 1 to 1048576");
    }
    if (block_tokens_ != 0 && block_tokens_ != tokens) {
      return failure(Code::kInvalidArgument,
                     fmt::format("blocks of {} tokens; the lines before have {}", tokens, block_tokens_));
    }
    block_tokens_ = static_cast<uint32_t>(tokens);
    return {};
  }

  TraceBuilder builder_;
  std::map<std::string, uint32_t> names_;
  std::vector<uint64_t> ids_;
  uint32_t block_tokens_ = 0;
};

}  // namespace

Outcome<Trace> read_terrace_trace(const std::string& path, const TraceOptions&) {
  Lines lines;
  const auto read = for_each_line(path, [&](const Json& line) { return lines.take(line); });
  if (!read) return std::unexpected(read.error());
  return std::move(lines).finish();
}

}  // namespace terrace::simulate
