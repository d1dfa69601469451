// From a field of a Configuration to the getter and setter of a schema entry.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <terrace/options.h>
#include <terrace/sessions.h>

#include "base/assert.h"
#include "config/value.h"

namespace terrace::config {

// The names of an enumeration's values, in their order.
template <class Enum>
inline constexpr std::array<std::string_view, 0> kNames{};
template <>
inline constexpr std::array<std::string_view, 3> kNames<L1Mode>{"cache", "staging", "off"};
template <>
inline constexpr std::array<std::string_view, 2> kNames<Auth>{"none", "namespaces"};
template <>
inline constexpr std::array<std::string_view, 3> kNames<VerifyL1>{"off", "sampled", "always"};
template <>
inline constexpr std::array<std::string_view, 3> kNames<IoChoice>{"auto", "uring", "psync"};
template <>
inline constexpr std::array<std::string_view, 2> kNames<DiskPlacement>{"by_key", "by_rank"};
template <>
inline constexpr std::array<std::string_view, 2> kNames<TierOptions::Kind>{"disk", "mock"};
template <>
inline constexpr std::array<std::string_view, 3> kNames<WriteBack>{"always", "never", "second_touch"};
template <>
inline constexpr std::array<std::string_view, 2> kNames<PrefetchPolicy>{"retain", "temporary"};
template <>
inline constexpr std::array<std::string_view, 2> kNames<RegionLoads>{"direct", "bounced"};

template <class Enum>
std::vector<std::string_view> names_of() {
  return {kNames<Enum>.begin(), kNames<Enum>.end()};
}

template <class T>
Value to_value(const T& field) {
  if constexpr (std::is_enum_v<T>) {
    return std::string(kNames<T>.at(static_cast<size_t>(field)));
  } else if constexpr (std::unsigned_integral<T> && !std::same_as<T, bool>) {
    return static_cast<uint64_t>(field);
  } else {
    return field;
  }
}

// The value was checked against the entry before.
template <class T>
void from_value(const Value& value, T& field) {
  if constexpr (std::is_enum_v<T>) {
    const auto name = std::find(kNames<T>.begin(), kNames<T>.end(), std::get<std::string>(value));
    TERRACE_ASSERT(name != kNames<T>.end());
    field = static_cast<T>(name - kNames<T>.begin());
  } else if constexpr (std::unsigned_integral<T> && !std::same_as<T, bool>) {
    field = static_cast<T>(std::get<uint64_t>(value));
  } else {
    field = std::get<T>(value);
  }
}

}  // namespace terrace::config
