// Takes every write.
#include "policy/admission.h"

namespace terrace::policy {
namespace {

class Always final : public AdmissionPolicy {
 public:
  std::string_view name() const override { return "always"; }
  bool admit(const Key&, uint64_t, uint64_t) override { return true; }
};

}  // namespace

std::unique_ptr<AdmissionPolicy> make_admission_always() {
  return std::make_unique<Always>();
}

}  // namespace terrace::policy
