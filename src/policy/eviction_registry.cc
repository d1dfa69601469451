#include "policy/eviction.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

// One line per policy; each is make_NAME() in eviction/NAME.cc.
#define TERRACE_EVICTION_POLICIES(POLICY) \
  POLICY(lru)                             \
  POLICY(noop)

namespace terrace::policy {

#define TERRACE_DECLARE(NAME) std::unique_ptr<EvictionPolicy> make_##NAME();
TERRACE_EVICTION_POLICIES(TERRACE_DECLARE)
#undef TERRACE_DECLARE

namespace {

struct Entry {
  std::string_view name;
  std::unique_ptr<EvictionPolicy> (*make)();
};

#define TERRACE_ENTRY(NAME) {#NAME, make_##NAME},
constexpr Entry kPolicies[] = {TERRACE_EVICTION_POLICIES(TERRACE_ENTRY)};
#undef TERRACE_ENTRY

}  // namespace

Outcome<std::unique_ptr<EvictionPolicy>> make_eviction_policy(std::string_view name) {
  for (const Entry& entry : kPolicies)
    if (entry.name == name) return entry.make();
  return failure(Code::kInvalidArgument, fmt::format("'{}' is not an eviction policy; allowed are: {}", name,
                                                     fmt::join(eviction_policy_names(), ", ")));
}

std::vector<std::string_view> eviction_policy_names() {
  std::vector<std::string_view> names;
  for (const Entry& entry : kPolicies) names.push_back(entry.name);
  return names;
}

}  // namespace terrace::policy
