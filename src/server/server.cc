#include "server/server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <future>
#include <map>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include "base/hooks.h"
#include "base/log.h"
#include "server/listener.h"
#include "server/session.h"
#include "store/open_parts.h"

namespace terrace::server {

namespace asio = boost::asio;

namespace {

constexpr uint32_t kSessionsMax = 1024;  // quarantined ones too; a session's number fits a page's offset
constexpr size_t kWorkers = 16;          // for requests that wait, of each kind
constexpr auto kCloseWithin = std::chrono::seconds(2);
constexpr auto kAcceptAgain = std::chrono::milliseconds(100);

// Planted bugs stand outside the class: with g++ they cannot be in inline functions and others at once.
bool waits_for_clients() {
  return TERRACE_MUTANT("server.wait_for_clients");
}
bool keeps_numbers() {
  return TERRACE_MUTANT("server.keep_numbers");
}
bool forgets_the_dead() {
  return !TERRACE_MUTANT("server.forget_the_dead");
}

}  // namespace

class Server::State final : public Host {
 public:
  State(Listener listener, std::shared_ptr<store::StorageManager> store, const ServerOptions& options)
      : store_(std::move(store)),
        also_allow_(options.also_allow),
        binds_(options.auth == Auth::kNamespaces),
        limits_(options.limits),
        listener_(std::move(listener)),
        incoming_(io_, listener_.fd()),
        accept_timer_(io_) {
    for (uint32_t number = kSessionsMax; number > 0; --number) free_numbers_.push_back(number);
  }
  ~State() override { incoming_.release(); }

  void run() {
    await_client();
    io_.run();
    if (closer_.joinable()) closer_.join();
    workers_.join();
    patient_workers_.join();
    io_.restart();
    io_.run();  // what workers left to do; the last session goes with it
    has_ended_ = true;
  }

  void stop() {
    asio::post(io_, [this] { end(); });
  }

  ServerStats stats() {
    const auto told = std::make_shared<std::promise<ServerStats>>();
    auto answer = told->get_future();
    asio::post(io_, [this, told] {
      ServerStats stats;
      stats.l1_bytes_open = store_->l1_bytes_open();
      for (const auto& [number, client] : clients_) {
        ++(client.session->closed() ? stats.quarantined : stats.sessions);
        stats.leases += client.session->leases();
        stats.reservations += client.session->reservations();
      }
      stats.each = sessions();
      told->set_value(stats);
    });
    while (answer.wait_for(kAcceptAgain) != std::future_status::ready) {
      if (has_ended_.load()) return {};  // nobody answers any more
    }
    return answer.get();
  }

  void set_limits(const SessionLimits& limits) {
    asio::post(io_, [this, limits] { limit_sessions(limits); });
  }

  // --- Host

  bool binds_namespaces() const override { return binds_; }
  const SessionLimits& limits() const override { return limits_; }
  void limit_sessions(const SessionLimits& limits) override { limits_ = limits; }
  std::vector<SessionUsage> sessions() const override {
    std::vector<SessionUsage> all;
    for (const auto& [number, client] : clients_) all.push_back(client.session->usage());
    return all;
  }

  store::StorageManager& store() override { return *store_; }
  asio::io_context& io() override { return io_; }
  void run_apart(Waits waits, std::function<void()> work) override {
    asio::post(waits == Waits::kForTheStore ? workers_ : patient_workers_, std::move(work));
  }

  void announce_replaced() override {
    const auto memories = store_->take_replaced_memory();
    if (memories.empty()) return;
    for (auto& [number, client] : clients_) client.session->replaced(memories);
  }

  void gone(uint32_t number, bool has_ended) override {
    run_apart(Waits::kForTheStore, [this, number, has_ended] {
      store_->disown(number, has_ended);
      asio::post(io_, [this, number] {
        if (!keeps_numbers()) free_numbers_.push_back(number);
      });
    });
  }

  // A live process may read what it leased: that stays until it has ended.
  void left(Session& session) override {
    if (session.leases() == 0 || has_ended(session.peer())) forget(session.number());
  }

 private:
  struct Client {
    std::shared_ptr<Session> session;
    std::unique_ptr<asio::posix::stream_descriptor> end;  // of its process
  };

  void await_client() {
    incoming_.async_wait(asio::posix::stream_descriptor::wait_read,
                         [this](const boost::system::error_code& error) {
                           if (!error) accept_clients();
                         });
  }

  void accept_clients() {
    for (;;) {
      io::Descriptor socket(::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (socket.get() >= 0) {
        try {
          admit(std::move(socket));
        } catch (const std::exception& error) {  // no memory, no descriptor: this client's misfortune alone
          base::log::warn("a client could not be taken in: {}", error.what());
        }
        continue;
      }
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return await_client();
      base::log::warn("no client can be accepted for now: {}",
                      std::strerror(errno));  // no descriptor, mostly
      accept_timer_.expires_after(kAcceptAgain);
      accept_timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) accept_clients();
      });
      return;
    }
  }

  void admit(io::Descriptor socket) {
    auto peer = peer_of(socket.get());
    wire::FrameSocket frames(std::move(socket));
    if (!peer) return turn_away(frames, peer.error().code, to_string(peer.error()));
    if (peer->uid != ::geteuid() && std::ranges::find(also_allow_, peer->uid) == also_allow_.end()) {
      return turn_away(frames, Code::kPermission,
                       fmt::format("user {} may not connect: allowed is user {}", peer->uid, ::geteuid()));
    }
    if (free_numbers_.empty()) {
      return turn_away(
          frames, Code::kLimitExceeded,
          fmt::format("{} sessions are connected or in quarantine: no more are taken", kSessionsMax));
    }
    const int process = ::fcntl(peer->process.get(), F_DUPFD_CLOEXEC, 0);  // asio closes its own
    if (process < 0) return turn_away(frames, Code::kLimitExceeded, "the server has no descriptor left");
    auto end = std::make_unique<asio::posix::stream_descriptor>(io_, process);
    const uint32_t number = free_numbers_.back();
    free_numbers_.pop_back();  // the session's end gives it back
    Client client{std::make_shared<Session>(*this, std::move(frames), std::move(*peer), number),
                  std::move(end)};
    client.end->async_wait(asio::posix::stream_descriptor::wait_read,
                           [this, number](const boost::system::error_code& error) {
                             if (!error && forgets_the_dead()) forget(number);
                           });
    const auto session = client.session;
    clients_.emplace(number, std::move(client));
    session->start();
  }

  static void turn_away(wire::FrameSocket& socket, Code code, const std::string& why) {
    flatbuffers::FlatBufferBuilder builder;
    const auto failed = wire::CreateFailedDirect(builder, static_cast<uint8_t>(code), why.c_str());
    wire::finish(builder, 0, wire::Body::Failed, failed.Union());
    (void)socket.send(builder);  // it goes at once, or the client sees the end only
  }

  // Nobody can touch what it had any more, or the server ends.
  void forget(uint32_t number) {
    const auto found = clients_.find(number);
    if (found == clients_.end()) return;
    Client client = std::move(found->second);
    clients_.erase(found);
    client.session->close();
  }

  // What processes lease stays as it is until the store has closed: they read on.
  void end() {
    incoming_.cancel();
    accept_timer_.cancel();
    if (closer_.joinable()) return;
    std::vector<std::shared_ptr<Session>> sessions;  // one that closes may be forgotten
    for (const auto& [number, client] : clients_) sessions.push_back(client.session);
    for (const auto& session : sessions) waits_for_clients() ? void() : session->close();
    // Not a worker's: those may wait for what only this ends.
    closer_ = std::jthread([this] {
      store_->close(kCloseWithin).value_or(0);
      asio::post(io_, [this] {
        while (!clients_.empty() && !waits_for_clients()) forget(clients_.begin()->first);
      });
    });
  }

  std::shared_ptr<store::StorageManager> store_;
  const std::vector<uid_t> also_allow_;
  const bool binds_;
  SessionLimits limits_;  // the server's thread's
  asio::io_context io_{1};
  asio::thread_pool workers_{kWorkers}, patient_workers_{kWorkers};
  std::jthread closer_;
  Listener listener_;
  asio::posix::stream_descriptor incoming_;
  asio::steady_timer accept_timer_;
  std::map<uint32_t, Client> clients_;  // by number; quarantined ones too
  std::vector<uint32_t> free_numbers_;
  std::atomic<bool> has_ended_{false};
};

Outcome<std::unique_ptr<Server>> Server::open(const ServerOptions& options) {
  if (auto ok = options.store.validate(); !ok) return std::unexpected(ok.error());
  auto listener = Listener::open(options.socket, !options.also_allow.empty());
  if (!listener) return std::unexpected(listener.error());
  auto parts = store::open_parts(options.store);
  if (!parts) return std::unexpected(parts.error());
  parts->segments = memory::shared_segments();
  auto manager = store::StorageManager::create(options.store, std::move(*parts));
  if (!manager) return std::unexpected(manager.error());
  (*manager)->fill_in_background();
  auto state = std::make_unique<State>(std::move(*listener), std::move(*manager), options);
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() = default;

void Server::run() {
  state_->run();
}

void Server::stop() {
  state_->stop();
}

void Server::set_limits(const SessionLimits& limits) {
  state_->set_limits(limits);
}

ServerStats Server::stats() {
  return state_->stats();
}

}  // namespace terrace::server
