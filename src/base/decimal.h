// Decimal amounts with a unit, as people write them ("1.5 GiB", "250ms"): the part that sizes and times
// share.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace terrace::base {

struct Amount {
  uint64_t whole = 0;
  uint64_t fraction = 0;  // in millionths
  std::string_view unit;  // as written, without blanks; may be empty
};

// Digits, optionally a point and one to six digits, blanks, a unit of letters. Nothing else, no sign.
std::optional<Amount> split_amount(std::string_view text);
// whole * unit + fraction * unit, rounded down; nothing when it does not fit, or when a fraction of the unit
// 1 is asked for. `unit` is at most 10^13.
std::optional<uint64_t> scale_amount(const Amount& amount, uint64_t unit);

}  // namespace terrace::base
