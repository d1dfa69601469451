// Row 20 with a server: it and its clients are idle together, and clients that come and go leave nothing
// behind on either side.
#include <array>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include <unistd.h>

#include <fmt/format.h>

#include "base/bytes.h"
#include "lab/kit/caller_memory.h"
#include "lab/kit/process_figures.h"
#include "lab/kit/steady_load.h"
#include "lab/rows/growth.h"
#include "lab/rows/idle.h"
#include "lab/rows/server_process.h"

namespace terrace::lab {
namespace {

constexpr uint32_t kIdleClients = 4;
constexpr uint64_t kStepsBefore = 100;  // of each, so that there is something to be idle about
constexpr uint64_t kStepsOfOne = 4;     // of each that comes and goes
constexpr uint64_t kRegionBytes = base::kMiB;
constexpr std::chrono::seconds kSettleLimit{20};

Key first_key(uint64_t number) {
  Key key;
  key.bytes.fill(static_cast<uint8_t>(number + 1));
  return key;
}

// A client that has all that one can have: a region, a queue, a namespace, a lease, a pin, a reservation.
class EquippedClient {
 public:
  EquippedClient(std::unique_ptr<Store> store, uint64_t number, uint64_t steps, Findings& findings)
      : store_(std::move(store)),
        queue_(store_->make_queue()),
        load_(*store_, {.seed = 20, .chains = 256, .chain_blocks = 4}) {
    memory_ = CallerMemory::make(kRegionBytes, true).value_or(CallerMemory{});
    const auto region = memory_.register_with(*store_);
    if (!region) findings.fail(fmt::format("register_region: {}", to_string(region.error())));
    region_ = region.value_or(0);
    base::Random random(number);
    LoadCounts did;
    for (uint64_t step = 0; step < steps; ++step) load_.step(random, did, findings);
    take_holds(first_key(number % kIdleClients), findings);
  }

  bool works(Findings& findings) {
    base::Random random(1);
    LoadCounts did;
    for (uint64_t step = 0; step < kStepsBefore; ++step) load_.step(random, did, findings);
    return did.delivered > 0;
  }
  void give_back() {
    blocks_ = {};
    pin_.release();
    answers_.clear();
  }
  void unregister(Findings& findings) {
    const auto left = store_->unregister_region(region_);
    if (!left) findings.fail(fmt::format("unregister_region: {}", to_string(left.error())));
  }

 private:
  void take_holds(const Key& key, Findings& findings) {
    const BlockSpec spec{key, base::kPage, {}, {}};
    const std::array<RegionSlice, 1> slice{{{region_, 0, base::kPage}}};
    const auto put = store_->put({key, {}, std::span(&spec, 1)}, slice, {queue_, 1});
    if (!put) findings.fail(fmt::format("put: {}", to_string(put.error())));
    std::array<Completion, 8> events;
    (void)queue_->wait(events, std::chrono::seconds(1));
    if (auto blocks = store_->get(std::span(&key, 1))) blocks_ = std::move(*blocks);
    if (auto found = store_->lookup(std::span(&key, 1), true)) pin_ = std::move(found->pin);
    Key other = key;
    other.bytes[0] ^= 0x80;
    const BlockSpec reserved{other, base::kPage, {}, {}};
    if (auto answers = store_->reserve({key, {}, std::span(&reserved, 1)})) answers_ = std::move(*answers);
  }

  CallerMemory memory_;
  const std::unique_ptr<Store> store_;
  const std::shared_ptr<CompletionQueue> queue_;
  SteadyLoad load_;
  RegionId region_ = 0;
  Blocks blocks_;
  Pin pin_;
  std::vector<ReserveAnswer> answers_;
};

// L1's memory is shared, and no growth of anybody's.
ProcessFigures own_figures(pid_t process) {
  ProcessFigures figures = process_figures(process);
  figures.rss_bytes = private_bytes(process);
  return figures;
}

class IdleServer {
 public:
  IdleServer(const RowOptions& options, uint64_t seconds, uint64_t cycles)
      : seconds_(seconds),
        cycles_(cycles),
        directory_(
            (std::filesystem::path(options.directory) / fmt::format("terrace-lab.idle.{}.served", ::getpid()))
                .string()),
        server_(options.program, {.scene = "idle", .directory = directory_}) {}

  Findings run() {
    std::filesystem::create_directories(directory_);
    findings_.count("connects", 0);
    if (server_.start(findings_)) live();
    std::filesystem::remove_all(directory_);
    return std::move(findings_);
  }

 private:
  void live() {
    for (uint64_t number = 0; number < kIdleClients; ++number) {
      auto client = connect(number, kStepsBefore);
      if (client == nullptr) return;
      idle_.push_back(std::move(client));
    }
    be_idle();
    come_and_go_often();
    for (const auto& client : idle_) {
      if (!client->works(findings_)) findings_.fail("a client that was idle gets nothing any more");
      client->give_back();
    }
    check_nothing_is_held();
    idle_.clear();
    server_.stop(findings_);
  }

  std::unique_ptr<EquippedClient> connect(uint64_t number, uint64_t steps) {
    auto store = server_.connect(fmt::format("client {}", number), findings_);
    if (store == nullptr) return nullptr;
    return std::make_unique<EquippedClient>(std::move(store), number, steps, findings_);
  }

  void be_idle() {
    std::this_thread::sleep_for(kIdleSettle);
    const ProcessFigures server = process_figures(server_.pid()), clients = process_figures();
    std::this_thread::sleep_for(std::chrono::seconds(seconds_));
    // To look at the server is not theirs to pay.
    check_idle(clients, process_figures(), seconds_, "client_", findings_);
    check_idle(server, process_figures(server_.pid()), seconds_, "server_", findings_);
  }

  // Every other one leaves its region for the server to take back.
  void come_and_go_often() {
    GrowthWatch server(cycles_), clients(cycles_);
    for (uint64_t cycle = 0; cycle < server.cycles() && findings_.clean(); ++cycle) {
      auto client = connect(cycle, kStepsOfOne);
      if (client == nullptr) return;
      if (cycle % 2 == 0) {
        client->give_back();
        client->unregister(findings_);
      }
      client.reset();
      if (!server.wants(cycle)) continue;
      server.take(cycle, own_figures(server_.pid()));
      clients.take(cycle, own_figures(::getpid()));
    }
    findings_.count("connects", cycles_);
    server.check("server_", findings_);
    clients.check("client_", findings_);
  }

  // But of the session that asks.
  void check_nothing_is_held() {
    const auto observer = server_.connect("lab, to look at it", findings_);
    if (observer == nullptr) return;
    const auto until = std::chrono::steady_clock::now() + kSettleLimit;
    for (;;) {
      const StoreStats stats = observer->stats();
      if (stats.leased_blocks + stats.reservations + stats.reserved_bytes == 0) return;
      if (std::chrono::steady_clock::now() > until) {
        return findings_.fail(fmt::format("left behind: {} leased blocks, {} reservations, {} reserved bytes",
                                          stats.leased_blocks, stats.reservations, stats.reserved_bytes));
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }

  const uint64_t seconds_, cycles_;
  const std::string directory_;
  ServerProcess server_;
  std::vector<std::unique_ptr<EquippedClient>> idle_;
  Findings findings_;
};

}  // namespace

StoreOptions served_idle_store(uint64_t, const std::string& directory) {
  StoreOptions options;
  options.l1.budget = 32 * base::kMiB;
  TierOptions disk;
  disk.disk.paths = {directory + "/store"};
  disk.disk.capacity = 64 * base::kMiB;
  options.tiers = {disk};
  return options;
}

Findings idle_served(const RowOptions& options, uint64_t seconds, uint64_t cycles) {
  return IdleServer(options, seconds, cycles).run();
}

}  // namespace terrace::lab
