#include "base/log.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <memory>

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include "base/mutex.h"

namespace terrace::base::log {
namespace {

constexpr std::array<std::string_view, 5> kNames{"debug", "info", "warn", "error", "off"};

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarn:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
    case Level::kOff:
      break;
  }
  return spdlog::level::off;
}

// Not in spdlog's registry, which belongs to the host process.
struct State {
  State() : logger("terrace", std::make_shared<spdlog::sinks::stderr_color_sink_mt>()) {
    logger.set_level(spdlog::level::debug);  // `level` below decides
    logger.set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ terrace: %v");
    const char* name = std::getenv("TERRACE_LOG");
    if (name == nullptr) return;
    if (const auto known = level_from_name(name)) {
      level = *known;
    } else {
      logger.warn("TERRACE_LOG='{}' is not a level: use debug, info, warn, error or off", name);
    }
  }

  spdlog::logger logger;
  std::atomic<Level> level{Level::kInfo};
  Mutex mutex;
  std::shared_ptr<const Sink> sink TERRACE_GUARDED_BY(mutex);
};

// Never destroyed: destructors of statics may log.
State& state() {
  static State& instance = *new State;
  return instance;
}

}  // namespace

std::optional<Level> level_from_name(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<Level>(i);
  return std::nullopt;
}

void set_level(Level level) {
  state().level.store(level, std::memory_order_relaxed);
}

bool enabled(Level level) {
  return level != Level::kOff && level >= state().level.load(std::memory_order_relaxed);
}

void set_sink(Sink sink) {
  auto next = sink ? std::make_shared<const Sink>(std::move(sink)) : nullptr;
  Lock lock(state().mutex);
  state().sink.swap(next);
}

void write(Level level, std::string_view line) {
  if (!enabled(level)) return;
  std::shared_ptr<const Sink> sink;
  {
    Lock lock(state().mutex);
    sink = state().sink;
  }
  if (sink) {
    (*sink)(level, line);
  } else {
    state().logger.log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
  }
}

}  // namespace terrace::base::log
