#include "policy/admission.h"
#include "policy/registry.h"

// One line per policy; each is make_admission_NAME() in admission/NAME.cc.
#define TERRACE_ADMISSION_POLICIES(POLICY) \
  POLICY(always)                           \
  POLICY(write_budget)

namespace terrace::policy {

#define TERRACE_DECLARE(NAME) std::unique_ptr<AdmissionPolicy> make_admission_##NAME();
TERRACE_ADMISSION_POLICIES(TERRACE_DECLARE)
#undef TERRACE_DECLARE

namespace {

#define TERRACE_ENTRY(NAME) {#NAME, make_admission_##NAME},
constexpr RegistryEntry<AdmissionPolicy> kPolicies[] = {TERRACE_ADMISSION_POLICIES(TERRACE_ENTRY)};
#undef TERRACE_ENTRY

}  // namespace

Outcome<std::unique_ptr<AdmissionPolicy>> make_admission_policy(std::string_view name) {
  return make_from<AdmissionPolicy>(kPolicies, "an admission policy", name);
}

std::vector<std::string_view> admission_policy_names() {
  return names_in<AdmissionPolicy>(kPolicies);
}

}  // namespace terrace::policy
