// Never evicts and tracks nothing: a full tier refuses.
#include "policy/eviction.h"

namespace terrace::policy {
namespace {

class Noop final : public EvictionPolicy {
 public:
  std::string_view name() const override { return "noop"; }
  bool evicts() const override { return false; }
  Rank rank(const Use&) override { return 0; }
};

}  // namespace

std::unique_ptr<EvictionPolicy> make_eviction_noop() {
  return std::make_unique<Noop>();
}

}  // namespace terrace::policy
