#include "base/duration.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include <fmt/format.h>

#include "base/decimal.h"

namespace terrace::base {
namespace {

struct Unit {
  std::string_view name;
  uint64_t nanoseconds;
};
constexpr std::array<Unit, 6> kUnits{{{"h", 3'600'000'000'000},
                                      {"m", 60'000'000'000},
                                      {"s", 1'000'000'000},
                                      {"ms", 1'000'000},
                                      {"us", 1'000},
                                      {"ns", 1}}};

std::optional<uint64_t> nanoseconds_of(const Amount& amount) {
  if (amount.unit.empty())
    return amount.whole == 0 && amount.fraction == 0 ? std::optional<uint64_t>(0) : std::nullopt;
  const auto unit = std::find_if(kUnits.begin(), kUnits.end(),
                                 [&](const Unit& known) { return known.name == amount.unit; });
  return unit == kUnits.end() ? std::nullopt : scale_amount(amount, unit->nanoseconds);
}

}  // namespace

Outcome<Duration> parse_duration(std::string_view text) {
  const auto amount = split_amount(text);
  const auto nanoseconds = amount ? nanoseconds_of(*amount) : std::nullopt;
  if (nanoseconds && *nanoseconds <= static_cast<uint64_t>(Duration::max().count()))
    return Duration(static_cast<int64_t>(*nanoseconds));
  return failure(
      Code::kInvalidArgument,
      fmt::format("'{}' is not a time: write a number below 292 years with a unit of ns, us, ms, s, m or h",
                  text));
}

std::string format_duration(Duration duration) {
  const bool negative = duration < Duration::zero();
  // Negating through unsigned, so that the smallest value has an absolute one too.
  const uint64_t nanoseconds =
      negative ? 0 - static_cast<uint64_t>(duration.count()) : static_cast<uint64_t>(duration.count());
  const char* sign = negative ? "-" : "";
  for (const Unit& unit : kUnits) {
    if (nanoseconds < unit.nanoseconds) continue;
    if (nanoseconds % unit.nanoseconds == 0)
      return fmt::format("{}{} {}", sign, nanoseconds / unit.nanoseconds, unit.name);
    return fmt::format("{}{:.1f} {}", sign,
                       static_cast<double>(nanoseconds) / static_cast<double>(unit.nanoseconds), unit.name);
  }
  return "0 s";
}

}  // namespace terrace::base
