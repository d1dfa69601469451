// Keys by the names they have in files and in the environment.
#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "config/schema.h"

namespace terrace::config {
namespace {

constexpr std::string_view kOfTier = "tiers[].";
constexpr std::string_view kTierOpen = "tiers[";
constexpr std::string_view kPrefix = "TERRACE_";

// "l1.high_watermark" is L1_HIGH_WATERMARK; `name` has no brackets.
std::string upper(std::string_view name) {
  std::string text(name);
  for (char& c : text) c = c == '.' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return text;
}

std::optional<size_t> take_number(std::string_view& text) {
  size_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(parsed.ptr - text.data()));
  return number;
}

const Entry* entry_named(std::string_view name) {
  for (const Entry& entry : schema()) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

}  // namespace

bool is_of_tier(const Entry& entry) {
  return entry.name.starts_with(kOfTier);
}

Value default_of(const Entry& entry) {
  Configuration configuration;
  configuration.options.tiers.resize(1);
  return entry.get(configuration, 0);
}

std::optional<TierPath> split_tier(std::string_view path) {
  if (!path.starts_with(kTierOpen)) return std::nullopt;
  path.remove_prefix(kTierOpen.size());
  const auto tier = take_number(path);
  if (!tier || !path.starts_with(']')) return std::nullopt;
  return TierPath{*tier, fmt::format("tiers[{}", path)};
}

std::optional<KeyRef> find_key(std::string_view name) {
  const auto of_tier = split_tier(name);
  const Entry* entry = entry_named(of_tier ? of_tier->pattern : name);
  if (entry == nullptr || is_of_tier(*entry) != of_tier.has_value()) return std::nullopt;
  return KeyRef{entry, of_tier ? of_tier->tier : 0};
}

std::string name_of(const KeyRef& key) {
  if (!is_of_tier(*key.entry)) return std::string(key.entry->name);
  return fmt::format("tiers[{}].{}", key.tier, key.entry->name.substr(kOfTier.size()));
}

bool is_section(std::string_view path) {
  const auto of_tier = split_tier(path);
  const std::string prefix = of_tier ? of_tier->pattern : std::string(path);
  return std::any_of(schema().begin(), schema().end(), [&](const Entry& entry) {
    const std::string_view next = entry.name.substr(std::min(prefix.size(), entry.name.size()));
    return entry.name.starts_with(prefix) && (next.starts_with('.') || next.starts_with('['));
  });
}

std::string environment_name(const KeyRef& key) {
  if (!is_of_tier(*key.entry)) return fmt::format("{}{}", kPrefix, upper(key.entry->name));
  return fmt::format("{}TIERS_{}_{}", kPrefix, key.tier, upper(key.entry->name.substr(kOfTier.size())));
}

std::optional<KeyRef> find_environment_name(std::string_view name) {
  std::string_view rest = name;
  size_t tier = 0;
  if (rest.starts_with("TERRACE_TIERS_")) {
    rest.remove_prefix(std::string_view("TERRACE_TIERS_").size());
    const auto number = take_number(rest);
    if (!number) return std::nullopt;
    tier = *number;
  }
  for (const Entry& entry : schema()) {
    const KeyRef key{&entry, is_of_tier(entry) ? tier : 0};
    if (environment_name(key) == name) return key;
  }
  return std::nullopt;
}

}  // namespace terrace::config
