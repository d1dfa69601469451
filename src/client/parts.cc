#include "client/parts.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "wire/socket_address.h"

namespace terrace::client {

namespace {

std::unexpected<Failure> refused(Code code, const std::string& path, const std::string& why) {
  return failure(code, "server " + path + ": " + why);
}

Outcome<io::Descriptor> connect_to(const std::string& path) {
  const auto address = wire::socket_address(path);
  if (!address) {
    return refused(Code::kInvalidArgument, path,
                   "a socket's path has 1 to " + std::to_string(wire::kSocketPathMax) + " bytes");
  }
  io::Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.get() < 0) return refused(Code::kLimitExceeded, path, std::strerror(errno));
  if (::connect(socket.get(), wire::generic(*address), sizeof *address) == 0) return socket;
  switch (errno) {
    case ENOENT:
    case ECONNREFUSED:
      return refused(Code::kNotFound, path, "nobody listens there; start one with terrace serve");
    case EACCES:
    case EPERM:
      return refused(Code::kPermission, path, std::strerror(errno));
    case EAGAIN:
      return refused(Code::kBusy, path, "too many clients wait to be taken in");
    default:
      return refused(Code::kIo, path, std::strerror(errno));
  }
}

// Most answers are there sooner than a thread falls asleep and is woken (docs/adr/0014). Whether they are is
// tried again now and then: beside a server that is slow, or has no processor, waiting awake wins nothing.
class WakefulWait {
 public:
  bool until(pollfd& ready) {
    if (skip_.load(std::memory_order_relaxed) > 0) {
      skip_.fetch_sub(1, std::memory_order_relaxed);
      return false;
    }
    const auto end = std::chrono::steady_clock::now() + kAwake;
    do {
      if (::poll(&ready, 1, 0) != 0) return true;
    } while (std::chrono::steady_clock::now() < end);
    skip_.store(kSkip, std::memory_order_relaxed);
    return false;
  }

 private:
  static constexpr auto kAwake = std::chrono::microseconds(50);
  static constexpr int kSkip = 16;
  std::atomic<int> skip_{0};
};

bool wait_for(int socket, bool to_write, std::chrono::milliseconds most) {
  static WakefulWait awake;
  pollfd ready{socket, static_cast<short>(POLLIN | (to_write ? POLLOUT : 0)), 0};
  if (most.count() > 0 && awake.until(ready)) return true;
  return ::poll(&ready, 1, static_cast<int>(most.count())) != 0;
}

}  // namespace

// One clock for all: requests and queues may be asked after their store has gone.
ClientParts system_parts() {
  static base::SteadyClock clock;
  const auto now = static_cast<uint64_t>(clock.now().time_since_epoch().count());
  return {&clock, connect_to, wait_for, now ^ static_cast<uint64_t>(::getpid()) << 32};
}

}  // namespace terrace::client
