// Never written: the tier is only read.
#include "policy/store.h"

namespace terrace::policy {
namespace {

class None final : public StorePolicy {
 public:
  std::string_view name() const override { return "none"; }
  bool writes(StoreMoment, const Key&) override { return false; }
};

}  // namespace

std::unique_ptr<StorePolicy> make_store_none() {
  return std::make_unique<None>();
}

}  // namespace terrace::policy
