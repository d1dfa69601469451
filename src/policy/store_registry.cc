#include "policy/registry.h"
#include "policy/store.h"

// One line per policy; each is make_store_NAME() in store/NAME.cc.
#define TERRACE_STORE_POLICIES(POLICY) \
  POLICY(write_through)                \
  POLICY(skip_l1)                      \
  POLICY(on_evict)                     \
  POLICY(second_touch)                 \
  POLICY(none)

namespace terrace::policy {

#define TERRACE_DECLARE(NAME) std::unique_ptr<StorePolicy> make_store_##NAME();
TERRACE_STORE_POLICIES(TERRACE_DECLARE)
#undef TERRACE_DECLARE

namespace {

#define TERRACE_ENTRY(NAME) {#NAME, make_store_##NAME},
constexpr RegistryEntry<StorePolicy> kPolicies[] = {TERRACE_STORE_POLICIES(TERRACE_ENTRY)};
#undef TERRACE_ENTRY

}  // namespace

Outcome<std::unique_ptr<StorePolicy>> make_store_policy(std::string_view name) {
  return make_from<StorePolicy>(kPolicies, "a store policy", name);
}

std::vector<std::string_view> store_policy_names() {
  return names_in<StorePolicy>(kPolicies);
}

}  // namespace terrace::policy
