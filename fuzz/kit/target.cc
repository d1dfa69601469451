#include "fuzz/kit/target.h"

#include <algorithm>

namespace terrace::fuzz {
namespace {

std::vector<Target>& known() {
  static std::vector<Target> targets;
  return targets;
}

}  // namespace

Registered::Registered(const Target& target) {
  const auto before = std::ranges::find_if(known(), [&](const Target& t) { return t.name > target.name; });
  known().insert(before, target);
}

std::span<const Target> targets() {
  return known();
}

const Target* find_target(std::string_view name) {
  for (const Target& target : known()) {
    if (target.name == name) return &target;
  }
  return nullptr;
}

}  // namespace terrace::fuzz
