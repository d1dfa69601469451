// Row 19 with a server: SIGTERM comes while its clients work. They see misses, no errors, and find the next
// one by themselves; what was there is there.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#include <unistd.h>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/random.h"
#include "lab/rows/restart.h"
#include "lab/rows/server_process.h"
#include "server/server.h"

namespace terrace::lab {
namespace {

constexpr uint32_t kClients = 3;
constexpr uint64_t kPicks = 1000;  // of the sample that hit rates are taken from
// 2 s (P13), and what a busy machine adds: a process ends when its device has ended what it had.
constexpr std::chrono::milliseconds kDrainMost{8000};
constexpr std::chrono::milliseconds kFirstLife{800};
constexpr std::chrono::milliseconds kAlone{20};       // clients go on without a server for so long
constexpr std::chrono::microseconds kAwayPause{200};  // between two steps that find nobody
constexpr std::chrono::seconds kBackLimit{20};        // until every client gets something again
constexpr Timeout kRecovery = std::chrono::seconds(30);
constexpr uint64_t kOtherCallsEvery = 16;  // steps

std::string replay(uint64_t seed, uint64_t count) {
  return fmt::format("terrace-lab run --row 19 --seed {} --count {} --processes 1", seed, count);
}

// One connection and one thread.
class WorkingClient {
 public:
  WorkingClient(std::unique_ptr<Store> store, uint64_t seed, uint32_t number)
      : store_(std::move(store)),
        load_(*store_, restart_load(seed)),
        random_(seed * 64 + number),
        thread_([this] { work(); }) {}
  ~WorkingClient() { ends_ = true; }
  WorkingClient(const WorkingClient&) = delete;
  WorkingClient& operator=(const WorkingClient&) = delete;

  // It asks for nothing while it rests.
  void rest() {
    rests_ = true;
    while (!at_rest_) std::this_thread::sleep_for(kAwayPause);
  }
  void go_on() { rests_ = false; }
  uint64_t delivered() const { return delivered_.load(); }

  void stop(Findings& findings) {
    ends_ = true;
    thread_.join();
    findings.add(findings_);
    findings.count("asked", counts_.asked);
    findings.count("delivered", counts_.delivered);
  }

 private:
  void work() {
    for (uint64_t steps = 1; !ends_; ++steps) {
      if (rests_) {
        at_rest_ = true;
        std::this_thread::sleep_for(kAwayPause);
        continue;
      }
      at_rest_ = false;
      const uint64_t before = counts_.delivered + counts_.stored;
      load_.step(random_, counts_, findings_);
      delivered_ = counts_.delivered;
      if (steps % kOtherCallsEvery == 0) call_others();
      if (counts_.delivered + counts_.stored == before) std::this_thread::sleep_for(kAwayPause);
    }
  }

  // Whose answers say that the server is away in words of their own.
  void call_others() {
    Key nobodys;
    nobodys.bytes.fill(static_cast<uint8_t>(random_.next()));
    const auto removed = store_->remove(std::span(&nobodys, 1));
    if (!removed && removed.error().code != Code::kUnavailable) failed("remove", removed.error());
    const BlockSpec spec{nobodys, base::kPage, {}, {}};
    const auto answers = store_->reserve_wait({nobodys, {}, std::span(&spec, 1)},
                                              std::chrono::milliseconds(random_.below(20)));
    if (!answers) failed("reserve_wait", answers.error());
    const auto found = store_->lookup(std::span(&nobodys, 1));
    if (!found) failed("lookup", found.error());
  }

  void failed(std::string_view what, const Error& error) {
    findings_.count("client_errors");
    findings_.fail(fmt::format("{}: {}", what, to_string(error)));
  }

  const std::unique_ptr<Store> store_;
  SteadyLoad load_;
  base::Random random_;  // the thread's, with what follows, until it has ended
  LoadCounts counts_;
  Findings findings_;
  std::atomic<uint64_t> delivered_{0};
  std::atomic<bool> rests_{false}, at_rest_{false}, ends_{false};
  std::jthread thread_;
};

class ServedRestarts {
 public:
  ServedRestarts(const RowOptions& options, uint64_t seed, uint64_t count)
      : seed_(seed),
        count_(count),
        random_(seed),
        directory_((std::filesystem::path(options.directory) /
                    fmt::format("terrace-lab.restart.{}.{}", ::getpid(), seed))
                       .string()),
        server_(options.program, {.scene = "restart", .directory = directory_, .seed = seed}) {}

  Findings run() {
    std::filesystem::create_directories(directory_);
    for (const char* figure : {"restarts", "served_restarts"}) findings_.count(figure, 0);
    if (server_.start(findings_)) live();
    if (findings_.clean()) std::filesystem::remove_all(directory_);
    for (auto& failure : findings_.failures) failure += "; replay: " + replay(seed_, count_);
    return std::move(findings_);
  }

 private:
  void live() {
    for (uint32_t number = 0; number < kClients; ++number) {
      auto store = server_.connect(fmt::format("client {}", number), findings_);
      if (store == nullptr) return;
      clients_.push_back(std::make_unique<WorkingClient>(std::move(store), seed_, number));
    }
    std::this_thread::sleep_for(kFirstLife);  // it fills the disk
    for (uint64_t cycle = 0; cycle < count_ && findings_.clean(); ++cycle) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100 + random_.below(200)));
      stop_under_load();
      if (findings_.clean()) start_again();
    }
    for (const auto& client : clients_) client->stop(findings_);
    clients_.clear();
    if (server_.runs()) server_.stop(findings_);
  }

  void stop_under_load() {
    {
      const auto observer = server_.connect("lab, to look at it", findings_);
      if (observer == nullptr) return;
      const SteadyLoad looks(*observer, restart_load(seed_));
      before_ = looks.present(seed_, kPicks, findings_);
      if (!server_.runs()) return findings_.fail("the server ended before it was asked to");
    }
    const auto took = server_.stop(findings_);
    findings_.count("max_served_drain_ms", static_cast<uint64_t>(took.count()));
    if (took > kDrainMost) findings_.fail(fmt::format("the server ended after {} ms", took.count()));
    std::this_thread::sleep_for(kAlone);
  }

  void start_again() {
    // What they would store counts as found else.
    for (const auto& client : clients_) client->rest();
    if (!server_.start(findings_)) return;
    const auto observer = server_.connect("lab, to look at it", findings_);
    if (observer == nullptr) return;
    if (!observer->wait_recovered(kRecovery)) findings_.fail("it did not recover");
    const SteadyLoad gets(*observer, restart_load(seed_));
    findings_.count("served_compared_before", before_);
    findings_.count("served_compared_after", gets.fetched(seed_, kPicks, findings_));
    check_second_is_refused();
    let_clients_go_on();
    findings_.count("restarts");
    findings_.count("served_restarts");
  }

  void check_second_is_refused() {
    server::ServerOptions same;
    same.socket = server_.socket();
    same.store = served_restart_store(seed_, directory_);
    const auto second = server::Server::open(same);
    if (second || second.error().error.code != Code::kInUse)
      findings_.fail("a second server at the same socket was not refused as in use");
    const auto store = Store::open(same.store);
    if (store || store.error().error.code != Code::kInUse)
      findings_.fail("a second store in the server's directory was not refused as in use");
  }

  // They connect again by themselves, in calls.
  void let_clients_go_on() {
    const auto begun = std::chrono::steady_clock::now();
    std::vector<uint64_t> delivered;
    for (const auto& client : clients_) delivered.push_back(client->delivered());
    for (const auto& client : clients_) client->go_on();
    for (size_t i = 0; i < clients_.size(); ++i) {
      while (clients_[i]->delivered() == delivered[i]) {
        if (std::chrono::steady_clock::now() - begun > kBackLimit)
          return findings_.fail(fmt::format("client {} gets nothing from the next server", i));
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
    const auto took =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
    findings_.count("max_back_ms", static_cast<uint64_t>(took.count()));
  }

  const uint64_t seed_, count_;
  base::Random random_;
  const std::string directory_;
  ServerProcess server_;
  std::vector<std::unique_ptr<WorkingClient>> clients_;
  uint64_t before_ = 0;  // hits before the last stop
  Findings findings_;
};

}  // namespace

// Each client fills segments of its own.
StoreOptions served_restart_store(uint64_t seed, const std::string& directory) {
  StoreOptions options = restart_store(seed, directory);
  options.l1.budget *= 2;
  return options;
}

Findings served_restarts(const RowOptions& options, uint64_t seed, uint64_t count) {
  return ServedRestarts(options, seed, count).run();
}

}  // namespace terrace::lab
