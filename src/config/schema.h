// The one table of configuration keys. What a file, the environment or a flag may say, what `terrace config
// schema` prints and what docs/guide/configuration.md lists all come from it. Defaults are not repeated here:
// they are those of a Configuration nobody touched (C3).
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/configuration.h"
#include "config/value.h"

namespace terrace::config {

struct Entry {
  std::string_view name;  // "l1.budget"; "tiers[].disk.paths" of every tier
  Kind kind;
  std::string_view meaning;  // one sentence
  // The field behind it; the tier matters for "tiers[]." only.
  std::function<Value(const Configuration&, size_t tier)> get;
  std::function<void(Configuration&, size_t tier, const Value&)> set;
  double least = 0, most = 0;                  // of numbers, in bytes and nanoseconds; most 0: no limit here
  std::vector<std::string_view> choices = {};  // of kChoice
  std::string_view zero = {};                  // what 0 stands for, when not nothing
  std::function<Outcome<void>(const Value&)> check = {};  // of texts that are read further
};

std::span<const Entry> schema();

bool is_of_tier(const Entry& entry);
// The value of a store nobody configured, and of a tier nobody configured.
Value default_of(const Entry& entry);
// "4MiB or more", "0 to 1", "lru, noop"; empty when any value of the kind will do.
std::string allowed(const Entry& entry);
bool allows(const Entry& entry, const Value& value);

// A key as sources name it: an entry and, for those of tiers, which tier.
struct KeyRef {
  const Entry* entry = nullptr;
  size_t tier = 0;
};
// "tiers[2].disk.paths"; nothing when the schema has no such key.
std::optional<KeyRef> find_key(std::string_view name);
std::string name_of(const KeyRef& key);
// Whether `path` ("l1", "tiers[0].disk") is the beginning of a key's name.
bool is_section(std::string_view path);
// "TERRACE_TIERS_2_DISK_PATHS".
std::string environment_name(const KeyRef& key);
std::optional<KeyRef> find_environment_name(std::string_view name);

inline constexpr size_t kTierLimit = 7;  // StoreOptions::tiers
// "tiers[2].disk" gives 2 and "tiers[].disk"; nothing when it does not begin with "tiers[NUMBER]".
struct TierPath {
  size_t tier;
  std::string pattern;
};
std::optional<TierPath> split_tier(std::string_view path);

}  // namespace terrace::config
