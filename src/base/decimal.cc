#include "base/decimal.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <limits>

namespace terrace::base {
namespace {

constexpr size_t kFractionDigits = 6;
constexpr uint64_t kMillionth = 1'000'000;

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string_view take_digits(std::string_view& text) {
  const auto end = std::find_if_not(text.begin(), text.end(), is_digit);
  const auto digits = text.substr(0, static_cast<size_t>(end - text.begin()));
  text.remove_prefix(digits.size());
  return digits;
}

}  // namespace

std::optional<Amount> split_amount(std::string_view text) {
  text = trim(text);
  Amount amount;
  const std::string_view whole = take_digits(text);
  const auto parsed = std::from_chars(whole.data(), whole.data() + whole.size(), amount.whole);
  if (whole.empty() || parsed.ec != std::errc{}) return std::nullopt;
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    const std::string_view fraction = take_digits(text);
    if (fraction.empty() || fraction.size() > kFractionDigits) return std::nullopt;
    for (const char digit : fraction)
      amount.fraction = amount.fraction * 10 + static_cast<uint64_t>(digit - '0');
    for (size_t i = fraction.size(); i < kFractionDigits; ++i) amount.fraction *= 10;
  }
  amount.unit = trim(text);
  if (!std::all_of(amount.unit.begin(), amount.unit.end(), is_letter)) return std::nullopt;
  return amount;
}

std::optional<uint64_t> scale_amount(const Amount& amount, uint64_t unit) {
  if (unit == 1 && amount.fraction != 0) return std::nullopt;
  const uint64_t fraction = amount.fraction * unit / kMillionth;  // below 10^19: no overflow
  if (amount.whole > (std::numeric_limits<uint64_t>::max() - fraction) / unit) return std::nullopt;
  return amount.whole * unit + fraction;
}

}  // namespace terrace::base
