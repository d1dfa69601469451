// Where a user's server listens and its clients look for it, unless somebody says otherwise.
#pragma once

#include <string>

namespace terrace::wire {

// $XDG_RUNTIME_DIR/terrace/socket; without that directory /run/terrace/socket for root, and
// terrace-UID/socket in the directory for temporary files for others. Reads the environment: not while
// another thread changes it.
std::string default_socket();

}  // namespace terrace::wire
