// What an entry allows, and whether it allows a value.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "config/schema.h"

namespace terrace::config {
namespace {

// A limit of the table in the text its kind has; of a list its elements.
std::string limit_text(Kind kind, double limit) {
  if (kind == Kind::kCounts) kind = Kind::kCount;
  if (kind == Kind::kDuration) return text_of(kind, Timeout(static_cast<int64_t>(limit)));
  if (kind == Kind::kRatio) return text_of(kind, limit);
  return text_of(kind, static_cast<uint64_t>(limit));
}

std::optional<double> number_of(const Value& value) {
  if (const auto* whole = std::get_if<uint64_t>(&value)) return static_cast<double>(*whole);
  if (const auto* ratio = std::get_if<double>(&value)) return *ratio;
  if (const auto* time = std::get_if<Timeout>(&value)) return static_cast<double>(time->count());
  return std::nullopt;
}

}  // namespace

std::string allowed(const Entry& entry) {
  if (!entry.choices.empty()) return fmt::format("{}", fmt::join(entry.choices, ", "));
  if (entry.kind == Kind::kBool) return "true, false";
  if (entry.most > 0) {
    return fmt::format("{} to {}", limit_text(entry.kind, entry.least), limit_text(entry.kind, entry.most));
  }
  return entry.least > 0 ? fmt::format("{} or more", limit_text(entry.kind, entry.least)) : "";
}

bool allows(const Entry& entry, const Value& value) {
  if (!entry.choices.empty()) {
    return std::find(entry.choices.begin(), entry.choices.end(), std::get<std::string>(value)) !=
           entry.choices.end();
  }
  const auto within = [&entry](double number) {
    return number >= entry.least && (entry.most == 0 || number <= entry.most);
  };
  if (const auto* counts = std::get_if<std::vector<uint64_t>>(&value)) {
    return std::ranges::all_of(*counts, [&](uint64_t count) { return within(static_cast<double>(count)); });
  }
  const auto number = number_of(value);
  return !number || within(*number);
}

}  // namespace terrace::config
