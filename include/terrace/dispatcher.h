// Callbacks and futures on a completion queue (S4), for programs that have no loop of their own to poll with.
#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <span>

#include <terrace/completion.h>
#include <terrace/store.h>

namespace terrace {

// Callbacks run in dispatch() and nowhere else, on the thread that calls it; one thread at a time. A callback
// that throws is contained and counted.
//
//   Dispatcher dispatcher(*store);
//   store->commit(blocks, dispatcher.on(EventKind::kWriteBatch, [](const Completion&) { ... }));
//   while (running) dispatcher.dispatch(std::chrono::seconds(1));
class Dispatcher {
 public:
  using Callback = std::move_only_function<void(const Completion&)>;

  explicit Dispatcher(Store& store);
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  // Where an operation shall report. `callback` gets each of its events, the last of kind `last`: kWriteBatch
  // for commit and put, kResult for get and prefetch, kReleased for get_into. Any thread.
  Notify on(EventKind last, Callback callback);
  // The same as a future of the last event; someone must dispatch.
  Notify on(EventKind last, std::future<Completion>& future);

  // Runs the callbacks of the events that wait, waiting for at least one until the timeout. Returns how many
  // events.
  size_t dispatch(Timeout timeout = Timeout::zero());
  uint64_t callbacks_failed() const;
  int fd() const;  // readable while events wait; for an engine's own loop

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace terrace
