// Who uses a node's server, and how much a session may take. The server measures and bounds it; whoever runs
// the server reads and sets it, from a process of the server's own user.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <terrace/client.h>

namespace terrace {

// Whether a session is bound to the namespaces it names when it connects: what is of others is not there for
// it.
enum class Auth : uint8_t { kNone, kNamespaces };

// What one session may take at a time; 0: no limit of its own. Requests under way are at most 1,024 in any
// case.
struct SessionLimits {
  uint64_t reserved_bytes = 0;  // beyond it reserve has no room
  uint64_t leased_bytes = 0;    // beyond it gets are misses (no_room)
  friend bool operator==(const SessionLimits&, const SessionLimits&) = default;
};

struct SessionUsage {
  uint32_t number = 0;
  std::string client;  // as it named itself
  uint32_t process = 0, user = 0;
  bool quarantined = false;  // its socket has ended and its process lives on
  uint64_t reserved_bytes = 0, leased_bytes = 0, requests = 0;  // now
};

struct SessionReport {
  SessionLimits limits;
  std::vector<SessionUsage> sessions;  // connected and quarantined ones
};

// Over a connection of their own. Errors as terrace::connect; kPermission for another user than the server's.
Outcome<SessionReport> read_sessions(const ClientOptions& options);
// For every session, from now on; what is taken already is not taken back.
Outcome<void> set_session_limits(const ClientOptions& options, const SessionLimits& limits);

}  // namespace terrace
