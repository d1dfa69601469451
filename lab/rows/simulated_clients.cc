#include "lab/rows/simulated_clients.h"

#include <utility>

#include <fmt/format.h>

#include "base/assert.h"

namespace terrace::lab {
namespace {

constexpr int kReconnectTries = 1000;
constexpr std::chrono::milliseconds kBetweenTries{20};
constexpr uint64_t kDropOneIn = 300, kKillOneIn = 1000;  // operations

}  // namespace

SimulatedClients::SimulatedClients(SharedByClients parts, uint64_t seed)
    : parts_(std::move(parts)), seed_(seed) {
  if (parts_.scenario.served)
    server_ = std::make_unique<SimulatedServer>(parts_.machine.time(), seed_ ^ 0x5E44E4);
}

void SimulatedClients::poll() {
  for (const auto& client : clients_) client->poll();
}

size_t SimulatedClients::owed() const {
  size_t all = 0;
  for (const auto& client : clients_) all += client->owed();
  return all;
}

uint64_t SimulatedClients::keys_asked() const {
  uint64_t all = 0;
  for (const auto& client : clients_) all += client->keys_asked();
  return all;
}

Store& SimulatedClients::store_of(size_t number) {
  return served() ? processes_[number]->store() : parts_.machine.store();
}

// --- making them

void SimulatedClients::make_all() {
  processes_.resize(served() ? parts_.scenario.clients : 0);
  clients_.resize(parts_.scenario.clients);
  for (uint32_t number = 0; number < parts_.scenario.clients; number++) make(number);
}

void SimulatedClients::make(uint32_t number) {
  if (served()) connect(number);
  const Scenario& scenario = parts_.scenario;
  ClientOptions how = parts_.options();
  how.number = number;
  how.seed = seed_ + number;
  // One of them changes the mode; the others are told the one that promises less.
  how.switches = scenario.switches && number == 0;
  how.mode = scenario.switches && number > 0 ? L1Mode::kStaging : scenario.machine.store.l1.mode;
  clients_[number] = std::make_unique<Client>(store_of(number), parts_.catalog, parts_.expected,
                                              parts_.machine.time(), parts_.findings, how, parts_.hooks);
}

void SimulatedClients::connect(uint32_t number) {
  std::string why;
  processes_[number] = server_->start_client(fmt::format("client {}", number), why);
  TERRACE_ASSERT(processes_[number] != nullptr);
  for (uint32_t space = 0; space < parts_.catalog.spaces(); space++) {
    const auto root = store_of(number).open_namespace(parts_.catalog.space(space));
    if (!root || *root != parts_.catalog.root(space)) parts_.fail("open_namespace: another root");
  }
}

// --- lives

void SimulatedClients::begin_life() {
  if (served()) server_->open(parts_.machine.manager());
  if (clients_.empty()) return make_all();
  find_server();
  parts_.findings.count("server_restarts");
}

void SimulatedClients::find_server() {
  if (!served()) return;
  for (uint32_t number = 0; number < clients_.size(); number++) {
    for (int tries = 0; store_of(number).stats().tiers.empty(); tries++) {
      if (tries == kReconnectTries) return parts_.fail("a client does not connect again");
      parts_.machine.time().run_for(kBetweenTries);
    }
  }
}

bool SimulatedClients::wait_recovered(Timeout timeout) {
  find_server();
  return store_of(0).wait_recovered(timeout);
}

void SimulatedClients::leave() {
  for (const auto& client : clients_) client->leave();
  clients_.clear();
  processes_.clear();
}

void SimulatedClients::end_server() {
  if (served()) server_->cut_off();
}

void SimulatedClients::release_server() {
  const uint64_t left = served() ? server_->release() : 0;
  if (left == 0) return;
  parts_.findings.count("leaks");
  parts_.fail(fmt::format("{} sessions would not go", left));
}

void SimulatedClients::store_was_killed() {
  if (served()) server_->cut_off();
  if (outlive_server()) return;
  for (const auto& client : clients_) client->abandon();
  clients_.clear();
  processes_.clear();
}

// --- a server's

void SimulatedClients::let_connections_end(bool ends) {
  if (served()) server_->drop_in_calls(ends && parts_.scenario.drops);
}

void SimulatedClients::disturb(base::Random& random) {
  if (!outlive_server()) return;
  if (random.one_in(kDropOneIn)) server_->drop_one();
  if (random.one_in(kKillOneIn)) kill_one(static_cast<uint32_t>(random.below(clients_.size())));
}

// With all that it holds; another takes its place.
void SimulatedClients::kill_one(uint32_t number) {
  parts_.findings.count("clients_killed");
  processes_[number]->die();
  clients_[number]->abandon();
  clients_[number].reset();
  processes_[number].reset();
  let_connections_end(false);
  make(number);
  let_connections_end(true);
}

void SimulatedClients::renew() {
  if (!served()) return;
  leave();
  make_all();
  parts_.findings.count("connections_lost", server_->take_drops());
}

}  // namespace terrace::lab
