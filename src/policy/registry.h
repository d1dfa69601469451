// How a policy is found by its name.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <terrace/error.h>

namespace terrace::policy {

template <typename Policy>
struct RegistryEntry {
  std::string_view name;
  std::unique_ptr<Policy> (*make)();
};

template <typename Policy>
std::vector<std::string_view> names_in(std::span<const RegistryEntry<Policy>> registry) {
  std::vector<std::string_view> names;
  for (const auto& entry : registry) names.push_back(entry.name);
  return names;
}

// `kind` is for the error, which names the policies there are: "an eviction policy".
template <typename Policy>
Outcome<std::unique_ptr<Policy>> make_from(std::span<const RegistryEntry<Policy>> registry,
                                           std::string_view kind, std::string_view name) {
  for (const auto& entry : registry) {
    if (entry.name == name) return entry.make();
  }
  return failure(Code::kInvalidArgument, fmt::format("'{}' is not {}; allowed are: {}", name, kind,
                                                     fmt::join(names_in(registry), ", ")));
}

}  // namespace terrace::policy
