// One store that the processes of a node share through a Unix socket and the memory of its arena.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

#include <terrace/options.h>
#include <terrace/sessions.h>

namespace terrace::server {

struct ServerOptions {
  std::string socket;  // path; its directory is the server's user's alone
  // Users besides the server's own that may connect. With any, others may enter the directory and reach the
  // socket; the kernel says who they are.
  std::vector<uid_t> also_allow{};
  Auth auth = Auth::kNone;
  SessionLimits limits{};
  StoreOptions store{};
};

struct ServerStats {
  uint64_t sessions = 0;           // connected
  uint64_t quarantined = 0;        // whose socket has ended and whose process lives on
  uint64_t leases = 0;             // of both
  uint64_t reservations = 0;       // not committed yet
  uint64_t l1_bytes_open = 0;      // of its budget, what memory was had for
  std::vector<SessionUsage> each;  // connected and quarantined ones
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
