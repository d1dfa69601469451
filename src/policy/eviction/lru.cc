// Least recently used: the rank is the time of the last use.
#include "policy/eviction.h"

namespace terrace::policy {
namespace {

class Lru final : public EvictionPolicy {
 public:
  std::string_view name() const override { return "lru"; }
  Rank rank(const Use& use) override { return use.time; }
};

}  // namespace

std::unique_ptr<EvictionPolicy> make_eviction_lru() {
  return std::make_unique<Lru>();
}

}  // namespace terrace::policy
