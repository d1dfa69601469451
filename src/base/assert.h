// TERRACE_ASSERT states an invariant of our own code; it is on in every build. Never use it on input from
// disk, network or user.
#pragma once

namespace terrace::base {
[[noreturn]] void assert_failed(const char* expression, const char* file, int line);
}

#define TERRACE_ASSERT(expression) \
  (static_cast<bool>(expression) ? void(0) : ::terrace::base::assert_failed(#expression, __FILE__, __LINE__))
