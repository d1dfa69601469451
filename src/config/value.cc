#include "config/value.h"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/bytes.h"
#include "base/duration.h"

namespace terrace::config {
namespace {

template <class Number>
Outcome<Value> parse_number(std::string_view text, std::string_view what) {
  Number number{};
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  bool good = parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size();
  if constexpr (std::is_floating_point_v<Number>) good = good && std::isfinite(number);
  if (good) return Value(number);
  return failure(Code::kInvalidArgument, fmt::format("'{}' is not {}", text, what));
}

Outcome<Value> parse_bool(std::string_view text) {
  if (text == "true") return Value(true);
  if (text == "false") return Value(false);
  return failure(Code::kInvalidArgument, fmt::format("'{}' is neither true nor false", text));
}

template <class T>
Outcome<Value> widen(const Outcome<T>& parsed) {
  if (parsed) return Value(*parsed);
  return std::unexpected(parsed.error());
}

// The largest unit that divides the number, so that nothing is lost.
template <size_t N>
std::string exact(uint64_t number, const std::array<std::pair<uint64_t, std::string_view>, N>& units) {
  for (const auto& [size, name] : units) {
    if (number != 0 && number % size == 0) return fmt::format("{}{}", number / size, name);
  }
  return "0";
}

std::string size_text(uint64_t bytes) {
  return exact<5>(bytes, {{{1024 * base::kGiB, "TiB"},
                           {base::kGiB, "GiB"},
                           {base::kMiB, "MiB"},
                           {base::kKiB, "KiB"},
                           {1, "B"}}});
}

std::string duration_text(Timeout duration) {
  return exact<6>(static_cast<uint64_t>(duration.count()), {{{3'600'000'000'000, "h"},
                                                             {60'000'000'000, "m"},
                                                             {1'000'000'000, "s"},
                                                             {1'000'000, "ms"},
                                                             {1'000, "us"},
                                                             {1, "ns"}}});
}

}  // namespace

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::kSize:
      return "size";
    case Kind::kDuration:
      return "duration";
    case Kind::kRatio:
      return "ratio";
    case Kind::kCount:
      return "count";
    case Kind::kBool:
      return "bool";
    case Kind::kChoice:
      return "choice";
    case Kind::kText:
      return "text";
    case Kind::kTexts:
      return "list of text";
    case Kind::kCounts:
      return "list of count";
  }
  return "";
}

bool is_list(Kind kind) {
  return kind == Kind::kTexts || kind == Kind::kCounts;
}

Outcome<Value> parse_value(Kind kind, std::string_view text) {
  switch (kind) {
    case Kind::kSize:
      return widen(base::parse_size(text));
    case Kind::kDuration:
      return widen(base::parse_duration(text));
    case Kind::kRatio:
      return parse_number<double>(text, "a number, such as 0.95");
    case Kind::kCount:
      return parse_number<uint64_t>(text, "a whole number");
    case Kind::kBool:
      return parse_bool(text);
    case Kind::kChoice:
    case Kind::kText:
      return Value(std::string(text));
    case Kind::kTexts:
    case Kind::kCounts:
      break;
  }
  return failure(Code::kInternal, "a kind of value that is not of one text");
}

Outcome<Value> parse_list(Kind kind, std::span<const std::string> texts) {
  if (kind == Kind::kTexts) return Value(std::vector<std::string>(texts.begin(), texts.end()));
  std::vector<uint64_t> counts;
  for (const std::string& text : texts) {
    const auto count = parse_value(Kind::kCount, text);
    if (!count) return std::unexpected(count.error());
    counts.push_back(std::get<uint64_t>(*count));
  }
  return Value(std::move(counts));
}

std::string text_of(Kind kind, const Value& value) {
  switch (kind) {
    case Kind::kSize:
      return size_text(std::get<uint64_t>(value));
    case Kind::kDuration:
      return duration_text(std::get<Timeout>(value));
    case Kind::kRatio:
      return fmt::format("{}", std::get<double>(value));
    case Kind::kCount:
      return fmt::format("{}", std::get<uint64_t>(value));
    case Kind::kBool:
      return std::get<bool>(value) ? "true" : "false";
    case Kind::kChoice:
    case Kind::kText:
      return std::get<std::string>(value);
    case Kind::kTexts:
      return fmt::format("{}", fmt::join(std::get<std::vector<std::string>>(value), ","));
    case Kind::kCounts:
      return fmt::format("{}", fmt::join(std::get<std::vector<uint64_t>>(value), ","));
  }
  return "";
}

}  // namespace terrace::config
