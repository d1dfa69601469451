// The values of configuration keys: what kinds there are, and their text, which reads back as the same value.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <terrace/error.h>
#include <terrace/options.h>

namespace terrace::config {

enum class Kind : uint8_t { kSize, kDuration, kRatio, kCount, kBool, kChoice, kText, kTexts, kCounts };
// "size", "duration", "ratio", "count", "bool", "choice", "text", "list of text", "list of count".
std::string_view to_string(Kind kind);
bool is_list(Kind kind);

// kSize and kCount: uint64_t; kRatio: double; kChoice and kText: the text.
using Value = std::variant<uint64_t, double, bool, Timeout, std::string, std::vector<std::string>,
                           std::vector<uint64_t>>;

// A value of a kind that takes one text. The error says what the kind's texts look like, without the key.
Outcome<Value> parse_value(Kind kind, std::string_view text);
// A value of a kind that is a list, from a text for each of its elements.
Outcome<Value> parse_list(Kind kind, std::span<const std::string> texts);

// "8GiB", "1536MiB", "250ms", "0.95", "true", "lru", "/a,/b".
std::string text_of(Kind kind, const Value& value);

}  // namespace terrace::config
