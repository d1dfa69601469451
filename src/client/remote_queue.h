// A completion queue of a remote store. Nobody reads the socket for it: who polls it does, so its descriptor
// is readable when events wait or the socket brought something.
#pragma once

#include <deque>
#include <functional>

#include <terrace/completion.h>

#include "base/clock.h"
#include "base/mutex.h"
#include "io/descriptor.h"

namespace terrace::client {

class RemoteQueue final : public CompletionQueue {
 public:
  // `look` reads what the socket brought; never under the queue's lock.
  RemoteQueue(std::function<void()> look, base::Clock& clock);

  int fd() override;
  size_t poll(std::span<Completion> events) override TERRACE_EXCLUDES(mutex_);
  size_t wait(std::span<Completion> events, Timeout timeout) override TERRACE_EXCLUDES(mutex_);
  void push(const Completion& event) TERRACE_EXCLUDES(mutex_);
  // The socket to watch from now on; -1: none.
  void follow(int socket) TERRACE_EXCLUDES(mutex_);

 private:
  const std::function<void()> look_;
  base::Clock& clock_;
  io::Descriptor arrived_, both_;  // an eventfd, and an epoll of it and the socket
  base::Mutex mutex_;
  int socket_ TERRACE_GUARDED_BY(mutex_) = -1;
  std::deque<Completion> events_ TERRACE_GUARDED_BY(mutex_);
};

}  // namespace terrace::client
