// Who wants to know what changes in the store (Store::subscribe). Guarded by the store's mutex.
#pragma once

#include <array>
#include <memory>
#include <utility>
#include <vector>

#include <terrace/changes.h>

#include "store/block_table.h"
#include "store/namespace_table.h"
#include "store/scope.h"
#include "store/signalled_list.h"

namespace terrace::store {

// One subscriber's changes, bounded. Keeps the store's clock and executor, `store`. Thread-safe.
class ChangeFeed final : public Subscription {
 public:
  ChangeFeed(std::shared_ptr<const void> store, base::Executor& executor, base::Clock& clock, ScopePtr scope)
      : store_(std::move(store)), scope_(std::move(scope)), changes_(executor, clock) {}

  int fd() override { return changes_.fd(); }
  size_t poll(std::span<Change> changes) override { return changes_.poll(changes); }
  size_t wait(std::span<Change> changes, Timeout timeout) override { return changes_.wait(changes, timeout); }
  void tell(const Change& change);

 private:
  const std::shared_ptr<const void> store_;
  const ScopePtr scope_;
  SignalledList<Change> changes_;
};

class ChangeBoard final : public ResidenceWatch {
 public:
  explicit ChangeBoard(const NamespaceTable& namespaces) : namespaces_(namespaces) {}

  void add(const std::shared_ptr<ChangeFeed>& feed) { feeds_.push_back(feed); }
  void changed(const Block& block, TierMask tier, bool there) override;
  // Told when it differs from what was told last.
  void tier_is(uint32_t tier, TierCondition condition);

 private:
  void tell(const Change& change);

  const NamespaceTable& namespaces_;
  std::vector<std::weak_ptr<ChangeFeed>> feeds_;
  std::array<TierCondition, kTiersMax> conditions_{};
};

}  // namespace terrace::store
