#include "client/remote_queue.h"

#include <algorithm>
#include <utility>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace terrace::client {

RemoteQueue::RemoteQueue(std::function<void()> look, base::Clock& clock)
    : look_(std::move(look)),
      clock_(clock),
      arrived_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      both_(::epoll_create1(EPOLL_CLOEXEC)) {
  epoll_event readable{.events = EPOLLIN, .data = {}};
  ::epoll_ctl(both_.get(), EPOLL_CTL_ADD, arrived_.get(), &readable);
}

int RemoteQueue::fd() {
  return both_.get();
}

void RemoteQueue::follow(int socket) {
  const base::Lock lock(mutex_);
  if (socket_ >= 0) ::epoll_ctl(both_.get(), EPOLL_CTL_DEL, socket_, nullptr);
  socket_ = socket;
  epoll_event readable{.events = EPOLLIN, .data = {}};
  if (socket >= 0) ::epoll_ctl(both_.get(), EPOLL_CTL_ADD, socket, &readable);
}

size_t RemoteQueue::poll(std::span<Completion> events) {
  look_();
  const base::Lock lock(mutex_);
  const size_t count = std::min(events.size(), events_.size());
  std::copy_n(events_.begin(), count, events.begin());
  events_.erase(events_.begin(), events_.begin() + static_cast<std::ptrdiff_t>(count));
  if (events_.empty()) {
    uint64_t drained = 0;
    [[maybe_unused]] const auto n = ::read(arrived_.get(), &drained, sizeof drained);
  }
  return count;
}

size_t RemoteQueue::wait(std::span<Completion> events, Timeout timeout) {
  constexpr auto kLongest = std::chrono::milliseconds(100);  // what gives up by time is noticed in between
  const auto deadline = base::after(clock_.now(), timeout);
  for (;;) {
    const size_t count = poll(events);
    const auto now = clock_.now();
    if (count > 0 || events.empty() || now >= deadline) return count;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now);
    pollfd readable{both_.get(), POLLIN, 0};
    ::poll(&readable, 1, static_cast<int>(std::min(left, kLongest).count()));
  }
}

void RemoteQueue::push(const Completion& event) {
  const base::Lock lock(mutex_);
  events_.push_back(event);
  const uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(arrived_.get(), &one, sizeof one);
}

}  // namespace terrace::client
