// Written when L1 lets go: the tier holds what L1 does not.
#include "policy/store.h"

namespace terrace::policy {
namespace {

class OnEvict final : public StorePolicy {
 public:
  std::string_view name() const override { return "on_evict"; }
  bool writes(StoreMoment moment, const Key&) override { return moment == StoreMoment::kLeaving; }
  bool owes() const override { return true; }
};

}  // namespace

std::unique_ptr<StorePolicy> make_store_on_evict() {
  return std::make_unique<OnEvict>();
}

}  // namespace terrace::policy
