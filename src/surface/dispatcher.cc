#include <terrace/dispatcher.h>

#include <array>
#include <atomic>
#include <unordered_map>

#include "base/log.h"
#include "base/mutex.h"

namespace terrace {

struct Dispatcher::State {
  struct Waiting {
    EventKind last;
    std::shared_ptr<Callback> callback;
  };
  std::shared_ptr<CompletionQueue> queue;
  base::Mutex mutex;
  std::unordered_map<uint64_t, Waiting> waiting TERRACE_GUARDED_BY(mutex);
  uint64_t next_tag TERRACE_GUARDED_BY(mutex) = 1;
  std::atomic<uint64_t> failed{0};

  std::shared_ptr<Callback> callback_of(const Completion& event) TERRACE_EXCLUDES(mutex) {
    base::Lock lock(mutex);
    const auto it = waiting.find(event.tag);
    if (it == waiting.end()) return nullptr;
    auto callback = it->second.callback;
    if (event.kind == it->second.last) waiting.erase(it);
    return callback;
  }
};

Dispatcher::Dispatcher(Store& store) : state_(std::make_unique<State>()) {
  state_->queue = store.make_queue();
}

Dispatcher::~Dispatcher() = default;

Notify Dispatcher::on(EventKind last, Callback callback) {
  base::Lock lock(state_->mutex);
  const uint64_t tag = state_->next_tag++;
  state_->waiting.emplace(tag, State::Waiting{last, std::make_shared<Callback>(std::move(callback))});
  return {state_->queue, tag};
}

Notify Dispatcher::on(EventKind last, std::future<Completion>& future) {
  std::promise<Completion> promise;
  future = promise.get_future();
  return on(last, [promise = std::move(promise), last](const Completion& event) mutable {
    if (event.kind == last) promise.set_value(event);
  });
}

size_t Dispatcher::dispatch(Timeout timeout) {
  std::array<Completion, 64> events;
  const size_t count =
      timeout > Timeout::zero() ? state_->queue->wait(events, timeout) : state_->queue->poll(events);
  for (const Completion& event : std::span(events).first(count)) {
    const auto callback = state_->callback_of(event);
    if (callback == nullptr) continue;
    try {
      (*callback)(event);
    } catch (const std::exception& error) {
      ++state_->failed;
      base::log::warn("a completion callback threw: {}", error.what());
    } catch (...) {
      ++state_->failed;
      base::log::warn("a completion callback threw");
    }
  }
  return count;
}

uint64_t Dispatcher::callbacks_failed() const {
  return state_->failed.load();
}

int Dispatcher::fd() const {
  return state_->queue->fd();
}

}  // namespace terrace
