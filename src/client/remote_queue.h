// A completion queue of a remote store.
#pragma once

#include <deque>
#include <utility>

#include <terrace/completion.h>

#include "client/remote_list.h"

namespace terrace::client {

class RemoteQueue final : public CompletionQueue {
 public:
  RemoteQueue(std::function<void()> look, base::Clock& clock) : events_(std::move(look), clock) {}

  int fd() override { return events_.bell().fd(); }
  size_t poll(std::span<Completion> events) override { return events_.poll(events); }
  size_t wait(std::span<Completion> events, Timeout timeout) override {
    return events_.wait(events, timeout);
  }
  void push(const Completion& event) {
    events_.add([&](std::deque<Completion>& events) { events.push_back(event); });
  }
  Bell& bell() { return events_.bell(); }

 private:
  RemoteList<Completion> events_;
};

}  // namespace terrace::client
