#include "tier/tier.h"

namespace terrace::tier {

std::string_view to_string(State state) {
  switch (state) {
    case State::kRecovering:
      return "recovering";
    case State::kReady:
      return "ready";
    case State::kDegraded:
      return "degraded";
    case State::kUnavailable:
      return "unavailable";
    case State::kClosed:
      return "closed";
  }
  return "unknown";
}

}  // namespace terrace::tier
