// What is said of a server that does not answer.
#pragma once

#include <terrace/error.h>

namespace terrace::client {

inline constexpr Error kAway{Code::kUnavailable, 0, "the server is away"};

// The connection has ended, or the server does not answer: no refusal.
inline bool is_away(const Error& error) {
  return error.code == Code::kClosed || error.code == Code::kDeadline;
}

// The connection has ended; the store has not.
inline Error away_or(const Error& error) {
  return error.code == Code::kClosed ? kAway : error;
}

}  // namespace terrace::client
