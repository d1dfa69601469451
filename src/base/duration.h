// Durations with units, as configuration and people write them.
#pragma once

#include <string>
#include <string_view>

#include <terrace/error.h>

#include "base/clock.h"

namespace terrace::base {

// "250ms", "1.5 s", "20us", "100ns", "5m", "2h", "0": a unit is needed for all but zero. The error names the
// text and the units allowed.
Outcome<Duration> parse_duration(std::string_view text);
// "1.5 s": for people.
std::string format_duration(Duration duration);

}  // namespace terrace::base
