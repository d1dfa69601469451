// Log lines, to standard error through spdlog. TERRACE_LOG (debug, info, warn, error, off; read once) sets
// the level, info by default. Keys and token ids are logged at debug level only. Any thread; not on hot
// paths: a line may block on standard error. Never call it under a lock.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/rate_limit.h"

namespace terrace::base::log {

enum class Level : uint8_t { kDebug, kInfo, kWarn, kError, kOff };

std::optional<Level> level_from_name(std::string_view name);
void set_level(Level level);
bool enabled(Level level);

// Where lines go instead of standard error: for engines with a log of their own, and for tests. Empty: back
// to standard error. A line that is being written may still reach the previous sink.
using Sink = std::function<void(Level, std::string_view)>;
void set_sink(Sink sink);

// One line, without an end of line, when the level is enabled.
void write(Level level, std::string_view line);

template <class... Args>
void line(Level level, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(level)) write(level, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  line(Level::kDebug, format, std::forward<Args>(args)...);
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  line(Level::kInfo, format, std::forward<Args>(args)...);
}
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  line(Level::kWarn, format, std::forward<Args>(args)...);
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  line(Level::kError, format, std::forward<Args>(args)...);
}

// A line that the site's limit may suppress; the next one written says how many were.
template <class... Args>
void limited(RateLimit& limit, Level level, fmt::format_string<Args...> format, Args&&... args) {
  if (!enabled(level)) return;
  const auto suppressed = limit.admit();
  if (!suppressed) return;
  auto text = fmt::format(format, std::forward<Args>(args)...);
  if (*suppressed > 0) text += fmt::format(" ({} more like this were not logged)", *suppressed);
  write(level, text);
}

}  // namespace terrace::base::log
