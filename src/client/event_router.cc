#include "client/event_router.h"

#include <utility>

#include "wire/fields.h"

namespace terrace::client {

namespace {

Completion completion_of(const wire::Event& event) {
  Completion completion;
  completion.kind = static_cast<EventKind>(event.kind());
  completion.status = static_cast<WriteStatus>(event.status());
  completion.cause = static_cast<DropCause>(event.cause());
  completion.tier = event.tier();
  completion.key = wire::key_of(event.key());
  if (completion.status == WriteStatus::kFailed)
    completion.error = {static_cast<Code>(event.code()), 0, "a write of the server failed"};
  return completion;
}

}  // namespace

uint64_t EventRouter::add(Recipient recipient, EventKind last, bool is_put) {
  const base::Lock lock(mutex_);
  Route route;
  route.recipient = std::move(recipient);
  route.last = last;
  route.answered = !is_put;
  routes_.emplace(++last_tag_, std::move(route));
  return last_tag_;
}

void EventRouter::borrowed(uint64_t tag, std::vector<Key> keys) {
  const base::Lock lock(mutex_);
  const auto found = routes_.find(tag);
  if (found == routes_.end()) return;
  found->second.answered = true;
  for (const Key& key : keys) {
    auto& count = found->second.not_released[key];
    if (++count == 0) found->second.not_released.erase(key);
  }
  forget_ended(tag);
}

void EventRouter::drop(uint64_t tag) {
  const base::Lock lock(mutex_);
  routes_.erase(tag);
}

void EventRouter::forget_ended(uint64_t tag) {
  const auto found = routes_.find(tag);
  const Route& route = found->second;
  if (route.ended && route.answered && route.not_released.empty()) routes_.erase(found);
}

void EventRouter::route(const wire::Event& event) {
  const base::Lock lock(mutex_);
  const auto found = routes_.find(event.tag());
  if (found == routes_.end()) return;
  Route& route = found->second;
  const Completion completion = completion_of(event);
  if (completion.kind == EventKind::kReleased) {
    auto& count = route.not_released[completion.key];
    if (--count == 0) route.not_released.erase(completion.key);
  }
  route.recipient.tell(completion);
  route.ended = route.ended || completion.kind == route.last;
  forget_ended(event.tag());
}

// The server can touch nothing any more, and writes nothing.
void EventRouter::tell_owed(const Route& route) {
  Completion event;
  for (const auto& [key, count] : route.not_released) {
    if (count <= 0) continue;
    event.kind = EventKind::kReleased;
    event.key = key;
    route.recipient.tell(event);
  }
  if (route.ended) return;
  event = {};
  event.kind = route.last;
  if (route.last == EventKind::kWriteBatch) {
    event.status = WriteStatus::kDropped;
    event.cause = DropCause::kUnavailable;
  }
  route.recipient.tell(event);
}

void EventRouter::end(uint64_t tag) {
  const base::Lock lock(mutex_);
  const auto found = routes_.find(tag);
  if (found == routes_.end()) return;
  tell_owed(found->second);
  routes_.erase(found);
}

void EventRouter::end_all() {
  const base::Lock lock(mutex_);
  for (const auto& [tag, route] : routes_) tell_owed(route);
  routes_.clear();
}

size_t EventRouter::keys_borrowed() const {
  const base::Lock lock(mutex_);
  size_t keys = 0;
  for (const auto& [tag, route] : routes_) keys += route.not_released.size();
  return keys;
}

}  // namespace terrace::client
