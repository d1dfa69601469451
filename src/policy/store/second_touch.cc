// Written when seen again: what is used once costs the tier nothing.
#include "policy/store.h"

namespace terrace::policy {
namespace {

class SecondTouch final : public StorePolicy {
 public:
  std::string_view name() const override { return "second_touch"; }
  bool writes(StoreMoment moment, const Key&) override { return moment == StoreMoment::kSeenAgain; }
};

}  // namespace

std::unique_ptr<StorePolicy> make_store_second_touch() {
  return std::make_unique<SecondTouch>();
}

}  // namespace terrace::policy
