// The process at the other end of a Unix socket.
#pragma once

#include <sys/types.h>

#include <terrace/error.h>

#include "io/descriptor.h"

namespace terrace::server {

struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
  io::Descriptor process;  // a pidfd: readable when the process has ended
};

// Errors: kUnsupported when the process cannot be seen from here (another pid namespace): nobody could tell
// when it ends; kIo.
Result<Peer> peer_of(int socket);
bool has_ended(const Peer& peer);

}  // namespace terrace::server
