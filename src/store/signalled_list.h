// What one side adds and another takes, with an eventfd for those who poll and a wait for those who do not.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include <sys/eventfd.h>
#include <unistd.h>

#include <terrace/options.h>

#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"

namespace terrace::store {

template <class T>
class SignalledList {
 public:
  SignalledList(base::Executor& executor, base::Clock& clock) : executor_(executor), clock_(clock) {}
  SignalledList(const SignalledList&) = delete;
  SignalledList& operator=(const SignalledList&) = delete;
  ~SignalledList() {
    if (fd_ >= 0) ::close(fd_);
  }

  // Made when first asked for; -1 where there is none to be had.
  int fd() TERRACE_EXCLUDES(mutex_) {
    const base::Lock lock(mutex_);
    if (fd_ < 0) fd_ = ::eventfd(static_cast<unsigned>(items_.size()), EFD_CLOEXEC | EFD_NONBLOCK);
    return fd_;
  }

  size_t poll(std::span<T> items) TERRACE_EXCLUDES(mutex_) {
    const base::Lock lock(mutex_);
    const size_t count = std::min(items.size(), items_.size());
    std::copy_n(items_.begin(), count, items.begin());
    items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(count));
    if (items_.empty() && fd_ >= 0) {
      uint64_t drained = 0;
      [[maybe_unused]] const auto n = ::read(fd_, &drained, sizeof drained);
    }
    return count;
  }

  size_t wait(std::span<T> items, Timeout timeout) TERRACE_EXCLUDES(mutex_) {
    const auto deadline = base::after(clock_.now(), timeout);
    for (;;) {
      if (const size_t count = poll(items); count > 0 || items.empty()) return count;
      auto event = std::make_shared<base::Event>();
      {
        const base::Lock lock(mutex_);
        if (!items_.empty()) continue;
        waiters_.push_back(event);
      }
      if (executor_.wait(*event, deadline)) continue;
      const base::Lock lock(mutex_);
      std::erase(waiters_, event);
      if (items_.empty()) return 0;
    }
  }

  // `change` changes the list, under its lock, and leaves something there.
  template <class Change>
  void add(const Change& change) TERRACE_EXCLUDES(mutex_) {
    std::vector<std::shared_ptr<base::Event>> waiters;
    {
      const base::Lock lock(mutex_);
      change(items_);
      waiters.swap(waiters_);
      if (fd_ >= 0) {
        const uint64_t one = 1;
        [[maybe_unused]] const auto n = ::write(fd_, &one, sizeof one);
      }
    }
    for (auto& waiter : waiters) executor_.signal(*waiter);
  }

 private:
  base::Executor& executor_;
  base::Clock& clock_;
  base::Mutex mutex_;
  std::deque<T> items_ TERRACE_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<base::Event>> waiters_ TERRACE_GUARDED_BY(mutex_);
  int fd_ TERRACE_GUARDED_BY(mutex_) = -1;
};

}  // namespace terrace::store
