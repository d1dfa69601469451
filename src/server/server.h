// One store that the processes of a node share through a Unix socket and the memory of its arena.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

#include <terrace/options.h>

namespace terrace::server {

// What one session may take at a time; 0: no limit of its own. Requests under way are at most 1,024 in any
// case.
struct SessionLimits {
  uint64_t reserved_bytes = 0;  // beyond it reserve has no room
  uint64_t leased_bytes = 0;    // beyond it gets are misses (no_room)
};

struct ServerOptions {
  std::string socket;  // path; its directory is the server's user's alone
  // Users besides the server's own that may connect. With any, others may enter the directory and reach the
  // socket; the kernel says who they are.
  std::vector<uid_t> also_allow{};
  SessionLimits limits{};
  StoreOptions store{};
};

struct SessionStats {
  uint32_t number = 0;
  std::string client;  // as it named itself
  pid_t process = 0;
  uid_t user = 0;
  bool quarantined = false;
  uint64_t reserved_bytes = 0, leased_bytes = 0, requests = 0;  // now
};

struct ServerStats {
  uint64_t sessions = 0;           // connected
  uint64_t quarantined = 0;        // whose socket has ended and whose process lives on
  uint64_t leases = 0;             // of both
  uint64_t reservations = 0;       // not committed yet
  uint64_t l1_bytes_open = 0;      // of its budget, what memory was had for
  std::vector<SessionStats> each;  // connected and quarantined ones
};

class Server {
 public:
  // Listens; nothing is answered before run(). Errors name the option, its value and what is allowed.
  static Outcome<std::unique_ptr<Server>> open(const ServerOptions& options);
  ~Server();

  // Answers until stop(). Called once, by one thread.
  void run();
  // From any thread: ends sessions, closes the store, and lets run() return.
  void stop();
  // From any thread. All zero once run() has returned.
  ServerStats stats();
  // From any thread; counts for what is asked from then on.
  void set_limits(const SessionLimits& limits);

 private:
  class State;
  explicit Server(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace terrace::server
