// A server and its clients in one thread of virtual time. Real sessions talk to real clients over socket
// pairs: the server's io_context is polled between the tasks of the executor, what waits in the server runs
// in between, one after the other, and a client that waits for an answer lets all of it go on. Nothing here
// follows from the machine's time or from chance, so the same seed gives the same run.
//
// Not simulated: the listener, and workers that run beside each other.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <terrace/store.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "base/random.h"
#include "base/virtual_executor.h"
#include "io/descriptor.h"
#include "server/session.h"

namespace terrace::lab {

class SimulatedServer;

inline constexpr Timeout kServedPatience = std::chrono::seconds(5);  // of the clients

// A process that is connected, and connects again by itself.
class ClientProcess {
 public:
  ~ClientProcess();
  ClientProcess(const ClientProcess&) = delete;
  ClientProcess& operator=(const ClientProcess&) = delete;

  Store& store() { return *store_; }
  // As kill -9: the server notices, and nothing that is done with its handles afterwards reaches it.
  void die();

 private:
  friend class SimulatedServer;
  explicit ClientProcess(SimulatedServer& server);

  SimulatedServer& server_;
  io::Descriptor end_;  // in a pidfd's place: readable when it has ended
  std::unique_ptr<Store> store_;
};

class SimulatedServer final : public server::Host {
 public:
  SimulatedServer(base::VirtualExecutor& time, uint64_t seed);
  ~SimulatedServer() override;

  // --- a life
  void open(std::shared_ptr<store::StorageManager> store);
  // SIGTERM or kill -9, before the store's end: the sockets end. What clients still read stays as it is.
  void cut_off();
  // After the store's end: nothing of it is referred to any more. Returns how many sessions would not go.
  uint64_t release();

  // Null, with a reason in `why`, when it is refused.
  std::unique_ptr<ClientProcess> start_client(const std::string& name, std::string& why);
  // A session loses its socket; its process lives on.
  void drop_one();
  // The same in the middle of calls, now and then.
  void drop_in_calls(bool drops) { drops_in_calls_ = drops; }
  // How many, since the last call.
  uint64_t take_drops() { return std::exchange(drops_, 0); }

  // --- Host
  store::StorageManager& store() override { return *store_; }
  boost::asio::io_context& io() override { return io_; }
  bool binds_namespaces() const override { return false; }
  const SessionLimits& limits() const override { return limits_; }
  void limit_sessions(const SessionLimits& limits) override { limits_ = limits; }
  std::vector<SessionUsage> sessions() const override { return {}; }  // nobody asks there
  void run_apart(Waits, std::function<void()> work) override { apart_.push_back(std::move(work)); }
  void announce_replaced() override;
  void left(server::Session& session) override;
  void gone(uint32_t number, bool has_ended) override;

 private:
  friend class ClientProcess;
  struct Served {
    std::shared_ptr<server::Session> session;
    std::unique_ptr<boost::asio::posix::stream_descriptor> end;  // of its process
  };
  struct Waiting {
    int socket;
    bool to_write;
    base::Event came;
  };
  Outcome<io::Descriptor> admit(const io::Descriptor& process);
  bool wait(int socket, bool to_write, std::chrono::milliseconds most);
  bool go_on();  // beside the executor's tasks
  bool poll_io();
  bool run_one_apart();
  bool wake_who_waits();
  void forget(uint32_t number);

  base::VirtualExecutor& time_;
  base::Random random_;
  boost::asio::io_context io_{1};
  SessionLimits limits_{};
  std::shared_ptr<store::StorageManager> store_;  // null: nobody listens
  std::map<uint32_t, Served> served_;             // by number; quarantined ones too
  std::vector<uint32_t> free_numbers_;
  uint64_t alive_ = 0;  // sessions
  std::deque<std::function<void()>> apart_;
  Waiting* waiting_ = nullptr;
  bool polls_ = false, runs_apart_ = false;
  bool drops_in_calls_ = false;
  uint64_t drops_ = 0;
};

}  // namespace terrace::lab
