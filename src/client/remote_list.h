// What the server tells a client without being asked, for whoever polls. Nobody reads the socket for it: who
// polls does, so its descriptor is readable when something waits or the socket brought something.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <span>

#include <terrace/options.h>

#include "base/clock.h"
#include "base/mutex.h"
#include "io/descriptor.h"

namespace terrace::client {

// The descriptor.
class Bell {
 public:
  Bell();
  int fd() const { return both_.get(); }
  void ring() const;
  void quiet() const;
  // Until it rings or the socket brings something.
  void wait(std::chrono::milliseconds timeout) const;
  // The socket to watch from now on; -1: none.
  void follow(int socket) TERRACE_EXCLUDES(mutex_);

 private:
  io::Descriptor arrived_, both_;  // an eventfd, and an epoll of it and the socket
  base::Mutex mutex_;
  int socket_ TERRACE_GUARDED_BY(mutex_) = -1;
};

template <class T>
class RemoteList {
 public:
  // `look` reads what the socket brought; never under the list's lock.
  RemoteList(std::function<void()> look, base::Clock& clock) : look_(std::move(look)), clock_(clock) {}

  Bell& bell() { return bell_; }

  size_t poll(std::span<T> items) TERRACE_EXCLUDES(mutex_) {
    look_();
    const base::Lock lock(mutex_);
    const size_t count = std::min(items.size(), items_.size());
    std::copy_n(items_.begin(), count, items.begin());
    items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(count));
    if (items_.empty()) bell_.quiet();
    return count;
  }

  size_t wait(std::span<T> items, Timeout timeout) TERRACE_EXCLUDES(mutex_) {
    constexpr auto kLongest = std::chrono::milliseconds(100);  // what gives up by time is noticed in between
    const auto deadline = base::after(clock_.now(), timeout);
    for (;;) {
      const size_t count = poll(items);
      const auto now = clock_.now();
      if (count > 0 || items.empty() || now >= deadline) return count;
      bell_.wait(std::min(std::chrono::ceil<std::chrono::milliseconds>(deadline - now), kLongest));
    }
  }

  // `change` changes the list, under its lock, and leaves something there.
  template <class Change>
  void add(const Change& change) TERRACE_EXCLUDES(mutex_) {
    const base::Lock lock(mutex_);
    change(items_);
    bell_.ring();
  }

 private:
  const std::function<void()> look_;
  base::Clock& clock_;
  Bell bell_;
  base::Mutex mutex_;
  std::deque<T> items_ TERRACE_GUARDED_BY(mutex_);
};

}  // namespace terrace::client
