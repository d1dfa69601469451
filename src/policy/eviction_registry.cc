#include "policy/eviction.h"
#include "policy/registry.h"

// One line per policy; each is make_eviction_NAME() in eviction/NAME.cc.
#define TERRACE_EVICTION_POLICIES(POLICY) \
  POLICY(lru)                             \
  POLICY(noop)                            \
  POLICY(two_class)

namespace terrace::policy {

#define TERRACE_DECLARE(NAME) std::unique_ptr<EvictionPolicy> make_eviction_##NAME();
TERRACE_EVICTION_POLICIES(TERRACE_DECLARE)
#undef TERRACE_DECLARE

namespace {

#define TERRACE_ENTRY(NAME) {#NAME, make_eviction_##NAME},
constexpr RegistryEntry<EvictionPolicy> kPolicies[] = {TERRACE_EVICTION_POLICIES(TERRACE_ENTRY)};
#undef TERRACE_ENTRY

}  // namespace

Outcome<std::unique_ptr<EvictionPolicy>> make_eviction_policy(std::string_view name) {
  return make_from<EvictionPolicy>(kPolicies, "an eviction policy", name);
}

std::vector<std::string_view> eviction_policy_names() {
  return names_in<EvictionPolicy>(kPolicies);
}

}  // namespace terrace::policy
