// Completion queues (S4), and subscriptions.
#include <algorithm>
#include <array>

#include "capi/check.h"
#include "capi/handles.h"

namespace terrace::capi {
namespace {

terrace_completion event_of(const Completion& event) {
  terrace_completion made{};
  write_key(&made.key, event.key);
  made.tag = event.tag;
  made.what = event.error.what;
  if (event.status == WriteStatus::kFailed) made.code = static_cast<terrace_code>(event.error.code);
  made.sys_errno = event.error.sys_errno;
  made.tier = event.tier;
  made.kind = static_cast<uint8_t>(event.kind);
  made.status = static_cast<uint8_t>(event.status);
  made.cause = static_cast<uint8_t>(event.cause);
  return made;
}

terrace_change change_of(const Change& change) {
  terrace_change made{};
  write_key(&made.key, change.key);
  write_key(&made.root, change.root);
  made.lost = change.lost;
  made.tier = change.tier;
  made.kind = static_cast<uint8_t>(change.kind);
  made.condition = static_cast<uint8_t>(change.condition);
  return made;
}

// From a queue or a subscription. Waits for the first ones only.
template <class Item, class Source, class Made>
size_t take(Source& source, Timeout timeout, std::span<Made> to, Made (*made_of)(const Item&)) {
  std::array<Item, 64> some;
  size_t taken = 0;
  while (true) {
    const auto room = std::span(some).first(std::min(some.size(), to.size() - taken));
    const size_t came =
        taken == 0 && timeout > Timeout::zero() ? source.wait(room, timeout) : source.poll(room);
    std::ranges::transform(room.first(came), to.subspan(taken).begin(), made_of);
    taken += came;
    if (came < some.size() || taken == to.size()) return taken;
  }
}

}  // namespace
}  // namespace terrace::capi

using namespace terrace;
using namespace terrace::capi;

extern "C" {

terrace_code terrace_make_queue(terrace_store* store, terrace_queue** queue, terrace_error* error) {
  return answered(error, [&]() -> Answer {
    if (const Answer ok = Check().given(store, "store").given(queue, "queue"); !ok) return ok;
    *queue = new terrace_queue{store->store, store->store->make_queue()};
    return {};
  });
}

void terrace_queue_free(terrace_queue* queue) {
  end(queue);
}

int terrace_queue_fd(terrace_queue* queue) {
  return queue == nullptr ? -1 : value_of(-1, [&] { return queue->queue->fd(); });
}

terrace_code terrace_queue_wait(terrace_queue* queue, int64_t timeout_ns, terrace_completion* events,
                                size_t events_max, size_t* count, terrace_error* error) {
  return answered(error, [&]() -> Answer {
    const Answer ok = Check()
                          .given(queue, "queue")
                          .timeout(timeout_ns)
                          .list(events, events_max, "events")
                          .given(count, "count");
    if (!ok) return ok;
    *count = take(*queue->queue, Timeout(timeout_ns), std::span(events, events_max), &event_of);
    return {};
  });
}

terrace_code terrace_subscribe(terrace_store* store, terrace_subscription** subscription,
                               terrace_error* error) {
  return answered(error, [&]() -> Answer {
    if (const Answer ok = Check().given(store, "store").given(subscription, "subscription"); !ok) return ok;
    *subscription = new terrace_subscription{store->store, store->store->subscribe()};
    return {};
  });
}

void terrace_subscription_free(terrace_subscription* subscription) {
  end(subscription);
}

int terrace_subscription_fd(terrace_subscription* subscription) {
  return subscription == nullptr ? -1 : value_of(-1, [&] { return subscription->subscription->fd(); });
}

terrace_code terrace_subscription_wait(terrace_subscription* subscription, int64_t timeout_ns,
                                       terrace_change* changes, size_t changes_max, size_t* count,
                                       terrace_error* error) {
  return answered(error, [&]() -> Answer {
    const Answer ok = Check()
                          .given(subscription, "subscription")
                          .timeout(timeout_ns)
                          .list(changes, changes_max, "changes")
                          .given(count, "count");
    if (!ok) return ok;
    *count =
        take(*subscription->subscription, Timeout(timeout_ns), std::span(changes, changes_max), &change_of);
    return {};
  });
}

}  // extern "C"
