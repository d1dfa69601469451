#include "store/event_queue.h"

#include <algorithm>

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/hooks.h"

namespace terrace::store {

EventQueue::~EventQueue() {
  if (fd_ >= 0) ::close(fd_);
}

int EventQueue::fd() {
  base::Lock lock(mutex_);
  if (fd_ < 0) {
    fd_ = ::eventfd(static_cast<unsigned>(events_.size()), EFD_CLOEXEC | EFD_NONBLOCK);
  }
  return fd_;
}

size_t EventQueue::poll(std::span<Completion> events) {
  base::Lock lock(mutex_);
  const size_t count = std::min(events.size(), events_.size());
  std::copy_n(events_.begin(), count, events.begin());
  events_.erase(events_.begin(), events_.begin() + static_cast<std::ptrdiff_t>(count));
  if (events_.empty() && fd_ >= 0) {
    uint64_t drained;
    [[maybe_unused]] const auto n = ::read(fd_, &drained, sizeof drained);
  }
  return count;
}

size_t EventQueue::wait(std::span<Completion> events, Timeout timeout) {
  const auto deadline = base::after(clock_.now(), timeout);
  for (;;) {
    if (const size_t count = poll(events); count > 0 || events.empty()) return count;
    auto event = std::make_shared<base::Event>();
    {
      base::Lock lock(mutex_);
      if (!events_.empty()) continue;
      waiters_.push_back(event);
    }
    if (executor_.wait(*event, deadline)) continue;
    base::Lock lock(mutex_);
    std::erase(waiters_, event);
    if (events_.empty()) return 0;
  }
}

void EventQueue::push(const Completion& event) {
  std::vector<std::shared_ptr<base::Event>> waiters;
  {
    base::Lock lock(mutex_);
    const bool lost = TERRACE_MUTANT("store.lose_an_event") && events_.size() % 16 == 15;
    if (!lost) events_.push_back(event);
    waiters.swap(waiters_);
    if (fd_ >= 0) {
      const uint64_t one = 1;
      [[maybe_unused]] const auto n = ::write(fd_, &one, sizeof one);
    }
  }
  for (auto& waiter : waiters) executor_.signal(*waiter);
}

}  // namespace terrace::store
