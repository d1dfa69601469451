// Who of this process wants to know what changes in the server's store. One subscription of the server's
// serves them all; it ends with the connection, and what happens until the next one is lost.
#pragma once

#include <deque>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <terrace/changes.h>

#include "base/mutex.h"
#include "client/remote_list.h"

namespace terrace::client {

class RemoteSubscription final : public Subscription {
 public:
  RemoteSubscription(std::function<void()> look, base::Clock& clock) : changes_(std::move(look), clock) {}

  int fd() override { return changes_.bell().fd(); }
  size_t poll(std::span<Change> changes) override { return changes_.poll(changes); }
  size_t wait(std::span<Change> changes, Timeout timeout) override { return changes_.wait(changes, timeout); }
  void tell(std::span<const Change> changes);
  Bell& bell() { return changes_.bell(); }

 private:
  RemoteList<Change> changes_;
};

class Subscribers {
 public:
  void add(const std::shared_ptr<RemoteSubscription>& subscription) TERRACE_EXCLUDES(mutex_);
  bool any() const TERRACE_EXCLUDES(mutex_);
  void tell(std::span<const Change> changes) TERRACE_EXCLUDES(mutex_);
  // The connection ended, or is another one.
  void lost() TERRACE_EXCLUDES(mutex_);

 private:
  mutable base::Mutex mutex_;
  std::vector<std::weak_ptr<RemoteSubscription>> subscriptions_ TERRACE_GUARDED_BY(mutex_);
};

}  // namespace terrace::client
