#include "base/bytes.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include <fmt/format.h>

#include "base/decimal.h"

namespace terrace::base {
namespace {

constexpr uint64_t kTiB = 1024 * kGiB;

std::optional<uint64_t> unit_bytes(std::string_view unit) {
  std::string lower(unit);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (lower.empty() || lower == "b") return 1;
  constexpr std::string_view kLetters = "kmgt";
  const size_t power = kLetters.find(lower.front());
  if (power == std::string_view::npos) return std::nullopt;
  const std::string_view rest = std::string_view(lower).substr(1);
  const uint64_t base = rest == "b" ? 1000 : 1024;
  if (!rest.empty() && rest != "b" && rest != "ib") return std::nullopt;
  uint64_t bytes = 1;
  for (size_t i = 0; i <= power; ++i) bytes *= base;
  return bytes;
}

}  // namespace

std::string to_hex(std::span<const uint8_t> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

Outcome<uint64_t> parse_size(std::string_view text) {
  const auto amount = split_amount(text);
  const auto unit = amount ? unit_bytes(amount->unit) : std::nullopt;
  const auto bytes = unit ? scale_amount(*amount, *unit) : std::nullopt;
  if (bytes) return *bytes;
  return failure(
      Code::kInvalidArgument,
      fmt::format("'{}' is not a size: write a number below 16 EiB with a unit of KiB, MiB, GiB, TiB "
                  "(powers of 1024; K, M, G, T mean the same), kB, MB, GB, TB (powers of 1000) or B",
                  text));
}

std::string format_size(uint64_t bytes) {
  struct Unit {
    uint64_t bytes;
    std::string_view name;
  };
  constexpr std::array<Unit, 4> kUnits{{{kTiB, "TiB"}, {kGiB, "GiB"}, {kMiB, "MiB"}, {kKiB, "KiB"}}};
  for (const Unit& unit : kUnits) {
    if (bytes < unit.bytes) continue;
    if (bytes % unit.bytes == 0) return fmt::format("{} {}", bytes / unit.bytes, unit.name);
    return fmt::format("{:.1f} {}", static_cast<double>(bytes) / static_cast<double>(unit.bytes), unit.name);
  }
  return fmt::format("{} B", bytes);
}

}  // namespace terrace::base
