// The border (C ABI): what goes wrong behind it becomes a code and a text. Nothing is thrown across.
#pragma once

#include <utility>

#include <terrace/error.h>
#include <terrace/terrace.h>

namespace terrace::capi {

using Answer = Outcome<void>;

inline std::unexpected<Failure> refused(const Error& error) {
  return failure(error.code, to_string(error), error.sys_errno);
}

// Notes the answer down where the caller wants it, and is its code.
terrace_code noted(terrace_error* error, const Answer& answer) noexcept;
// The same for what was caught; called in a handler only.
terrace_code noted_caught(terrace_error* error) noexcept;

// What every function that can fail is.
template <class Act>
terrace_code answered(terrace_error* error, const Act& act) noexcept {
  try {
    return noted(error, act());
  } catch (...) {
    return noted_caught(error);
  }
}

// What the others are: `otherwise` where it went wrong.
template <class T, class Act>
T value_of(T otherwise, const Act& act) noexcept {
  try {
    return act();
  } catch (...) {
    return otherwise;
  }
}

template <class Act>
void quietly(const Act& act) noexcept {
  (void)value_of(false, [&] {
    act();
    return true;
  });
}

// Ends a handle, its operation first.
template <class Handle>
void end(Handle* handle) noexcept {
  quietly([handle] { delete handle; });
}

}  // namespace terrace::capi
