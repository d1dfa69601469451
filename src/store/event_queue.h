// The completion queue (S4): a bounded-by-operations list and an eventfd.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include <terrace/completion.h>

#include "base/executor.h"
#include "base/mutex.h"

namespace terrace::store {

class EventQueue final : public CompletionQueue {
 public:
  EventQueue(base::Executor& executor, base::Clock& clock) : executor_(executor), clock_(clock) {}
  ~EventQueue() override;

  int fd() override TERRACE_EXCLUDES(mutex_);
  size_t poll(std::span<Completion> events) override TERRACE_EXCLUDES(mutex_);
  size_t wait(std::span<Completion> events, Timeout timeout) override TERRACE_EXCLUDES(mutex_);
  void push(const Completion& event) TERRACE_EXCLUDES(mutex_);

 private:
  base::Executor& executor_;
  base::Clock& clock_;
  base::Mutex mutex_;
  std::deque<Completion> events_ TERRACE_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<base::Event>> waiters_ TERRACE_GUARDED_BY(mutex_);
  int fd_ TERRACE_GUARDED_BY(mutex_) = -1;
};

}  // namespace terrace::store
