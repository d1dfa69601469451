// What a mistyped key most likely was to be.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "config/schema.h"
#include "config/source.h"

namespace terrace::config {
namespace {

constexpr size_t kNameMax = 100;     // no key is this long; a longer text resembles none
constexpr size_t kOtherSection = 2;  // as far as two letters

// How many letters must be added, dropped or changed; `most` when they are as many or more.
size_t distance(std::string_view a, std::string_view b, size_t most) {
  if (std::max(a.size(), b.size()) - std::min(a.size(), b.size()) >= most) return most;
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0], least = i + 1;
    row[0] = least;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
      least = std::min(least, row[j + 1]);
    }
    if (least >= most) return most;
  }
  return row[b.size()];
}

// Also right: the last word of a key, under the wrong section or under none.
bool ends_as(std::string_view key, std::string_view name) {
  const std::string_view last = name.substr(name.rfind('.') + 1);
  return key.substr(key.rfind('.') + 1) == last;
}

template <class NameOf>
std::string nearest(std::string_view name, const NameOf& name_of_key) {
  if (name.size() > kNameMax) return "";
  std::string best;
  size_t least = std::max<size_t>(2, name.size() / 4) + 1;
  for (const Entry& entry : schema()) {
    const std::string candidate = name_of_key(entry);
    const size_t steps =
        std::min(distance(name, candidate, least), ends_as(candidate, name) ? kOtherSection : kNameMax);
    if (steps >= least) continue;
    least = steps;
    best = candidate;
  }
  return best.empty() ? "" : fmt::format("; did you mean {}?", best);
}

}  // namespace

std::string did_you_mean(std::string_view key) {
  const auto of_tier = split_tier(key);
  const size_t tier = of_tier ? of_tier->tier : 0;
  return nearest(key, [&](const Entry& entry) { return name_of({&entry, tier}); });
}

std::string did_you_mean_variable(std::string_view name) {
  return nearest(name, [](const Entry& entry) { return environment_name({&entry, 0}); });
}

}  // namespace terrace::config
