// The completion queue (S4): as many events as the operations under way.
#pragma once

#include <terrace/completion.h>

#include "store/signalled_list.h"

namespace terrace::store {

class EventQueue final : public CompletionQueue {
 public:
  EventQueue(base::Executor& executor, base::Clock& clock) : events_(executor, clock) {}

  int fd() override { return events_.fd(); }
  size_t poll(std::span<Completion> events) override { return events_.poll(events); }
  size_t wait(std::span<Completion> events, Timeout timeout) override {
    return events_.wait(events, timeout);
  }
  void push(const Completion& event);

 private:
  SignalledList<Completion> events_;
};

}  // namespace terrace::store
