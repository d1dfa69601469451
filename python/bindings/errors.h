// Terrace's errors as Python's: terrace.Error with a code. A miss is never one.
#pragma once

#include <algorithm>
#include <chrono>
#include <type_traits>
#include <utility>

#include <nanobind/nanobind.h>

#include <terrace/error.h>
#include <terrace/options.h>

namespace terrace::python {

namespace nb = nanobind;

void bind_errors(nb::module_& module);

// Raises terrace.Error. With the GIL.
[[noreturn]] void raise(const Error& error);
[[noreturn]] void raise(const Failure& failure);
[[noreturn]] void raise_invalid(const std::string& message);

// The value, or the exception.
template <class T>
T value_of(Result<T>&& result) {
  if (!result) raise(result.error());
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}
template <class T>
T value_of(Outcome<T>&& outcome) {
  if (!outcome) raise(outcome.error());
  if constexpr (!std::is_void_v<T>) return *std::move(outcome);
}

// What `call` returns, made without the GIL: it may wait, and touches nothing of Python's.
template <class Call>
auto without_gil(const Call& call) {
  const nb::gil_scoped_release released;
  return call();
}

// `wait(turn)` without the GIL until it says true or the time is over, in turns so short that ^C is heard.
template <class Wait>
bool wait_in_turns(Timeout timeout, const Wait& wait) {
  constexpr Timeout kTurn = std::chrono::milliseconds(100);
  const auto end = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    const auto left = std::max<Timeout>(end - std::chrono::steady_clock::now(), Timeout(0));
    if (without_gil([&] { return wait(std::min(left, kTurn)); })) return true;
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
    if (left <= kTurn) return false;
  }
}

}  // namespace terrace::python
