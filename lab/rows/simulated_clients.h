// The clients of a simulation: of the store itself, in one process with it, or of a server, each a process of
// its own (kit/simulated_server.h). Where connections end, a server's clients outlive it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/random.h"
#include "lab/kit/catalog.h"
#include "lab/kit/client.h"
#include "lab/kit/expected_state.h"
#include "lab/kit/machine.h"
#include "lab/kit/report.h"
#include "lab/kit/simulated_server.h"
#include "lab/rows/scenario.h"

namespace terrace::lab {

// What they share.
struct SharedByClients {
  const Scenario& scenario;
  const Catalog& catalog;
  Machine& machine;
  ExpectedState& expected;
  Findings& findings;
  std::function<ClientOptions()> options;  // of one made now, but for what follows from its number
  ClientHooks hooks;
  std::function<void(const std::string& what)> fail;
};

class SimulatedClients {
 public:
  SimulatedClients(SharedByClients parts, uint64_t seed);

  size_t size() const { return clients_.size(); }
  Client& operator[](size_t number) { return *clients_[number]; }
  auto begin() const { return clients_.begin(); }
  auto end() const { return clients_.end(); }
  void poll();
  size_t owed() const;
  uint64_t keys_asked() const;

  // --- lives
  // The machine's store was started.
  void begin_life();
  // Those that have lost it connect again by themselves, in calls.
  void find_server();
  bool wait_recovered(Timeout timeout);
  // Everything is given back, and everybody leaves.
  void leave();
  // Before the machine stops its store, and after: SIGTERM of a server.
  void end_server();
  void release_server();
  // kill -9 of the store's process.
  void store_was_killed();

  // --- a server's
  bool served() const { return server_ != nullptr; }
  bool outlive_server() const { return served() && parts_.scenario.drops; }
  // While its clients work: also in the middle of calls.
  void let_connections_end(bool ends);
  void disturb(base::Random& random);
  // Leases of connections that ended stay until their process has ended. So all of them do, in order, when
  // nothing is owed to them any more; others take their places.
  void renew();

 private:
  Store& store_of(size_t number);
  void make_all();
  void make(uint32_t number);
  void connect(uint32_t number);
  void kill_one(uint32_t number);

  const SharedByClients parts_;
  const uint64_t seed_;
  std::unique_ptr<SimulatedServer> server_;                // absent: one process with the store
  std::vector<std::unique_ptr<ClientProcess>> processes_;  // a server's
  std::vector<std::unique_ptr<Client>> clients_;
};

}  // namespace terrace::lab
