#include "server/peer.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace terrace::server {

Result<Peer> peer_of(int socket) {
  ucred credentials{};
  socklen_t bytes = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) != 0)
    return fail(Code::kIo, "SO_PEERCRED", errno);
  if (credentials.pid <= 0)
    return fail(Code::kUnsupported, "the client's process is in another pid namespace");
  io::Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, credentials.pid, 0)));
  if (process.get() < 0 && errno == ESRCH) return fail(Code::kClosed, "the client's process has ended");
  if (process.get() < 0) return fail(Code::kUnsupported, "pidfd_open", errno);
  return Peer{credentials.pid, credentials.uid, std::move(process)};
}

bool has_ended(const Peer& peer) {
  pollfd ended{peer.process.get(), POLLIN, 0};
  return ::poll(&ended, 1, 0) > 0;
}

}  // namespace terrace::server
