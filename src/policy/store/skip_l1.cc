// Written when committed; L1 lets its copy go when the writes have ended.
#include "policy/store.h"

namespace terrace::policy {
namespace {

class SkipL1 final : public StorePolicy {
 public:
  std::string_view name() const override { return "skip_l1"; }
  bool writes(StoreMoment moment, const Key&) override { return moment != StoreMoment::kLeaving; }
  bool leaves_l1() const override { return true; }
};

}  // namespace

std::unique_ptr<StorePolicy> make_store_skip_l1() {
  return std::make_unique<SkipL1>();
}

}  // namespace terrace::policy
