// Written when committed; L1 keeps its copy.
#include "policy/store.h"

namespace terrace::policy {
namespace {

class WriteThrough final : public StorePolicy {
 public:
  std::string_view name() const override { return "write_through"; }
  bool writes(StoreMoment moment, const Key&) override { return moment != StoreMoment::kLeaving; }
};

}  // namespace

std::unique_ptr<StorePolicy> make_store_write_through() {
  return std::make_unique<WriteThrough>();
}

}  // namespace terrace::policy
