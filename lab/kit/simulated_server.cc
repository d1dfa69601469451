#include "lab/kit/simulated_server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "base/assert.h"
#include "client/remote_store.h"
#include "store/storage_manager.h"

namespace terrace::lab {

namespace asio = boost::asio;

namespace {

constexpr uint64_t kDropInCallsOneIn = 1000;  // turns of a call that waits
constexpr uint32_t kSessionsMax = 1024;       // as the server's

io::Descriptor copy_of(const io::Descriptor& descriptor) {
  return io::Descriptor(::fcntl(descriptor.get(), F_DUPFD_CLOEXEC, 0));
}

}  // namespace

// --- ClientProcess

ClientProcess::ClientProcess(SimulatedServer& server)
    : server_(server), end_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

ClientProcess::~ClientProcess() {
  store_.reset();
  die();
}

void ClientProcess::die() {
  const uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(end_.get(), &one, sizeof one);
  server_.poll_io();  // before anything else is said
}

// --- a life

SimulatedServer::SimulatedServer(base::VirtualExecutor& time, uint64_t seed) : time_(time), random_(seed) {
  for (uint32_t number = kSessionsMax; number > 0; --number) free_numbers_.push_back(number);
  time_.run_beside([this] { return go_on(); });
}

SimulatedServer::~SimulatedServer() {
  time_.run_beside({});
}

void SimulatedServer::open(std::shared_ptr<store::StorageManager> store) {
  store_ = std::move(store);
}

void SimulatedServer::cut_off() {
  std::vector<std::shared_ptr<server::Session>> sessions;  // one that closes may go
  for (const auto& [number, served] : served_) sessions.push_back(served.session);
  for (const auto& session : sessions) session->close();
}

uint64_t SimulatedServer::release() {
  while (!served_.empty()) forget(served_.begin()->first);
  while (go_on()) {  // waits that were called off let their sessions go, and those what they held
  }
  store_.reset();
  return alive_;
}

std::unique_ptr<ClientProcess> SimulatedServer::start_client(const std::string& name, std::string& why) {
  std::unique_ptr<ClientProcess> process(new ClientProcess(*this));
  client::ClientParts parts;
  parts.clock = &time_;
  parts.connect = [this, &end = process->end_](const std::string&) { return admit(end); };
  parts.wait = [this](int socket, bool to_write, std::chrono::milliseconds most) {
    return wait(socket, to_write, most);
  };
  parts.seed = random_.next();
  auto store =
      client::RemoteStore::connect({.socket = "simulated", .name = name, .patience = kServedPatience}, parts);
  if (!store) {
    why = store.error().message;
    return nullptr;
  }
  process->store_ = std::make_unique<Store>(std::move(*store));
  return process;
}

void SimulatedServer::drop_one() {
  std::vector<std::shared_ptr<server::Session>> connected;
  for (const auto& [number, served] : served_) {
    if (!served.session->closed()) connected.push_back(served.session);
  }
  if (connected.empty()) return;
  ++drops_;
  connected[random_.below(connected.size())]->close();
}

// --- time

bool SimulatedServer::wait(int socket, bool to_write, std::chrono::milliseconds most) {
  Waiting mine{.socket = socket, .to_write = to_write, .came = {}};
  Waiting* const outer = std::exchange(waiting_, &mine);
  const bool came = time_.wait(mine.came, base::after(time_.now(), most));
  waiting_ = outer;
  return came;
}

bool SimulatedServer::go_on() {
  if (waiting_ != nullptr && drops_in_calls_ && random_.one_in(kDropInCallsOneIn)) drop_one();
  const bool polled = poll_io(), ran = run_one_apart();
  return wake_who_waits() || polled || ran;
}

bool SimulatedServer::poll_io() {
  if (std::exchange(polls_, true)) return false;
  io_.restart();
  const bool did = io_.poll() > 0;
  polls_ = false;
  return did;
}

// What it waits for goes on below it.
bool SimulatedServer::run_one_apart() {
  if (polls_ || runs_apart_ || apart_.empty()) return false;
  const auto work = std::move(apart_.front());
  apart_.pop_front();
  runs_apart_ = true;
  work();
  runs_apart_ = false;
  return true;
}

bool SimulatedServer::wake_who_waits() {
  if (waiting_ == nullptr || waiting_->came.is_set()) return false;
  pollfd ready{waiting_->socket, static_cast<short>(POLLIN | (waiting_->to_write ? POLLOUT : 0)), 0};
  if (::poll(&ready, 1, 0) <= 0) return false;
  waiting_->came.mark();
  return true;
}

// --- sessions, as server::Server keeps them

Outcome<io::Descriptor> SimulatedServer::admit(const io::Descriptor& process) {
  if (store_ == nullptr) return failure(Code::kNotFound, "simulated: nobody listens");
  if (free_numbers_.empty()) return failure(Code::kLimitExceeded, "simulated: too many sessions");
  std::array<int, 2> ends{-1, -1};
  const int made = ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data());
  TERRACE_ASSERT(made == 0);
  io::Descriptor clients(ends[0]);
  server::Peer peer{::getpid(), ::geteuid(), copy_of(process)};
  auto end = std::make_unique<asio::posix::stream_descriptor>(
      io_, ::fcntl(process.get(), F_DUPFD_CLOEXEC, 0));  // asio closes its own
  const uint32_t number = free_numbers_.back();
  free_numbers_.pop_back();
  Served served{std::make_shared<server::Session>(*this, wire::FrameSocket(io::Descriptor(ends[1])),
                                                  std::move(peer), number),
                std::move(end)};
  served.end->async_wait(asio::posix::stream_descriptor::wait_read,
                         [this, number](const boost::system::error_code& error) {
                           if (!error) forget(number);
                         });
  ++alive_;
  const auto session = served.session;
  served_.emplace(number, std::move(served));
  session->start();
  return clients;
}

void SimulatedServer::forget(uint32_t number) {
  const auto found = served_.find(number);
  if (found == served_.end()) return;
  const Served served = std::move(found->second);
  served_.erase(found);
  served.session->close();
}

void SimulatedServer::announce_replaced() {
  const auto memories = store_->take_replaced_memory();
  if (memories.empty()) return;
  for (const auto& [number, served] : served_) served.session->replaced(memories);
}

void SimulatedServer::left(server::Session& session) {
  if (session.leases() == 0 || server::has_ended(session.peer())) forget(session.number());
}

void SimulatedServer::gone(uint32_t number, bool has_ended) {
  --alive_;
  run_apart(Waits::kForTheStore, [this, number, has_ended] {
    store_->disown(number, has_ended);
    free_numbers_.push_back(number);
  });
}

}  // namespace terrace::lab
