#include "client/remote_list.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace terrace::client {

Bell::Bell() : arrived_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), both_(::epoll_create1(EPOLL_CLOEXEC)) {
  epoll_event readable{.events = EPOLLIN, .data = {}};
  ::epoll_ctl(both_.get(), EPOLL_CTL_ADD, arrived_.get(), &readable);
}

void Bell::ring() const {
  const uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(arrived_.get(), &one, sizeof one);
}

void Bell::quiet() const {
  uint64_t drained = 0;
  [[maybe_unused]] const auto n = ::read(arrived_.get(), &drained, sizeof drained);
}

void Bell::wait(std::chrono::milliseconds timeout) const {
  pollfd readable{both_.get(), POLLIN, 0};
  ::poll(&readable, 1, static_cast<int>(timeout.count()));
}

void Bell::follow(int socket) {
  const base::Lock lock(mutex_);
  if (socket_ >= 0) ::epoll_ctl(both_.get(), EPOLL_CTL_DEL, socket_, nullptr);
  socket_ = socket;
  epoll_event readable{.events = EPOLLIN, .data = {}};
  if (socket >= 0) ::epoll_ctl(both_.get(), EPOLL_CTL_ADD, socket, &readable);
}

}  // namespace terrace::client
