#include "bench/echo.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <thread>
#include <utility>

#include "bench/measure.h"
#include "wire/socket_address.h"

namespace terrace::bench {

namespace {

void write_all(int socket, const char* bytes, size_t count) {
  for (size_t done = 0; done < count;) {
    const ssize_t went = ::send(socket, bytes + done, count - done, MSG_NOSIGNAL);
    if (went <= 0) throw CannotRun("the echo's peer has gone");
    done += static_cast<size_t>(went);
  }
}

}  // namespace

void serve_echo(const std::string& path, EchoSizes sizes) {
  const auto address = wire::socket_address(path);
  const int listener = need_fd(::socket(AF_UNIX, SOCK_STREAM, 0), "socket");
  need_fd(::bind(listener, wire::generic(*address), sizeof *address), "bind");
  need_fd(::listen(listener, 128), "listen");
  const int poll = need_fd(::epoll_create1(0), "epoll");
  epoll_event wanted{.events = EPOLLIN, .data = {.fd = listener}};
  need_fd(::epoll_ctl(poll, EPOLL_CTL_ADD, listener, &wanted), "epoll_ctl");
  std::map<int, size_t> came;  // of the request under way
  std::vector<char> bytes(std::max(sizes.request, sizes.answer));
  for (;;) {
    std::array<epoll_event, 64> events;
    const int count = ::epoll_wait(poll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<size_t>(i)].data.fd;
      if (fd == listener) {
        wanted.data.fd = need_fd(::accept(listener, nullptr, nullptr), "accept");
        need_fd(::epoll_ctl(poll, EPOLL_CTL_ADD, wanted.data.fd, &wanted), "epoll_ctl");
        continue;
      }
      const ssize_t got = ::recv(fd, bytes.data(), sizes.request - came[fd], 0);
      if (got <= 0) {
        ::close(fd);
        came.erase(fd);
        continue;
      }
      if ((came[fd] += static_cast<size_t>(got)) < sizes.request) continue;
      came[fd] = 0;
      write_all(fd, bytes.data(), sizes.answer);
    }
  }
}

EchoClient::EchoClient(const std::string& path, EchoSizes sizes)
    : sizes_(sizes),
      socket_(need_fd(::socket(AF_UNIX, SOCK_STREAM, 0), "socket")),
      bytes_(std::max(sizes.request, sizes.answer)) {
  const auto address = wire::socket_address(path);
  const Stopwatch watch;
  while (::connect(socket_, wire::generic(*address), sizeof *address) != 0) {
    if (watch.seconds() > 10) throw CannotRun("the echo does not listen");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

EchoClient::EchoClient(EchoClient&& other) noexcept
    : sizes_(other.sizes_), socket_(std::exchange(other.socket_, -1)), bytes_(std::move(other.bytes_)) {}

EchoClient::~EchoClient() {
  if (socket_ >= 0) ::close(socket_);
}

void EchoClient::ask() {
  write_all(socket_, bytes_.data(), sizes_.request);
  for (size_t done = 0; done < sizes_.answer;) {
    const ssize_t got = ::recv(socket_, bytes_.data() + done, sizes_.answer - done, 0);
    if (got <= 0) throw CannotRun("the echo has gone");
    done += static_cast<size_t>(got);
  }
}

}  // namespace terrace::bench
