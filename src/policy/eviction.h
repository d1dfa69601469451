// Eviction policies rank; they do not search. A block with a lower rank leaves earlier; the mechanism that
// keeps leaves in order of rank is the store's (store/leaf_queue.h), the same for every policy. So a policy
// is a pure function of what it was told: no IO, no clock, no locks (docs/adr/0003).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <terrace/error.h>
#include <terrace/key.h>

namespace terrace::policy {

// Higher stays longer. Ranks survive a restart, approximately (E5).
using Rank = uint64_t;

// One use of one block by one request.
struct Use {
  const Key& key;
  uint64_t time;  // rank of "now": grows with the clock, unique per request, head of the request the largest
  bool inserted;  // it was stored or loaded now, not found
};

class EvictionPolicy {
 public:
  virtual ~EvictionPolicy() = default;
  virtual std::string_view name() const = 0;
  // False: nothing is ever evicted, and nothing is tracked (noop).
  virtual bool evicts() const { return true; }
  // A request begins: the uses that follow, until the next call, are its own. `keys` are its blocks in prompt
  // order; `parent` precedes the first of them, and is zero when they begin the prompt. One prompt may come
  // in several calls: whole when it is looked up, then its missing tail, or one chunk of that after the
  // other. `time` as in Use, of the head. Called under the store's mutex.
  virtual void request(std::span<const Key>, const Key& parent, uint64_t time) { (void)parent, (void)time; }
  // The block's rank after this use. Called under the store's mutex.
  virtual Rank rank(const Use& use) = 0;
  // The block left this tier. For policies with a history.
  virtual void left(const Key&) {}
};

// "lru", "noop", "two_class". Adding a policy is one file and one line of the registry
// (eviction_registry.cc).
Outcome<std::unique_ptr<EvictionPolicy>> make_eviction_policy(std::string_view name);
std::vector<std::string_view> eviction_policy_names();

}  // namespace terrace::policy
