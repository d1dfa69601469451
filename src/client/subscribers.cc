#include "client/subscribers.h"

#include <algorithm>

#include "surface/change_list.h"

namespace terrace::client {

void RemoteSubscription::tell(std::span<const Change> changes) {
  if (changes.empty()) return;
  changes_.add([&](std::deque<Change>& list) {
    for (const Change& change : changes) surface::add_change(list, change);
  });
}

void Subscribers::add(const std::shared_ptr<RemoteSubscription>& subscription) {
  const base::Lock lock(mutex_);
  std::erase_if(subscriptions_, [](const auto& one) { return one.expired(); });
  subscriptions_.push_back(subscription);
}

bool Subscribers::any() const {
  const base::Lock lock(mutex_);
  return std::ranges::any_of(subscriptions_, [](const auto& one) { return !one.expired(); });
}

void Subscribers::tell(std::span<const Change> changes) {
  std::vector<std::shared_ptr<RemoteSubscription>> subscriptions;
  {
    const base::Lock lock(mutex_);
    for (const auto& one : subscriptions_) subscriptions.push_back(one.lock());
  }
  for (const auto& subscription : subscriptions) {
    if (subscription != nullptr) subscription->tell(changes);
  }
}

void Subscribers::lost() {
  const Change unknown;
  tell(std::span(&unknown, 1));
}

}  // namespace terrace::client
