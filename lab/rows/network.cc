#include "lab/rows/network.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <optional>
#include <thread>

#include <unistd.h>

#include <fmt/format.h>

#include "base/bytes.h"
#include "lab/kit/client.h"
#include "lab/kit/process_figures.h"
#include "lab/rows/child_report.h"
#include "lab/rows/server_process.h"

namespace terrace::lab {
namespace {

constexpr uint64_t kFullSessions = 400;
constexpr uint64_t kSessionsPerServer = 20;
constexpr uint64_t kSessionsPerChild = 10;
constexpr std::chrono::minutes kChildLimit{2};
constexpr std::chrono::seconds kSettleLimit{20};
constexpr std::chrono::milliseconds kLookupMost{2000};  // of the untouched client, on a busy machine
constexpr uint64_t kGrowthMost = 24 * base::kMiB;       // of the server's own memory, after the first client

std::string replay(uint64_t first, uint64_t count) {
  return fmt::format("terrace-lab run --row 13 --seed {} --count {} --processes 1", first, count);
}

// The client beside the faults: no call of it fails, no deadline passes, nothing it stored is missing.
class UntouchedClient {
 public:
  UntouchedClient(std::unique_ptr<Store> store, uint64_t seed)
      : store_(std::move(store)),
        catalog_({.seed = 1'000'000 + seed, .namespaces = 2, .chains = 24, .chain_blocks_max = 6}),
        expected_(catalog_.size()),
        seed_(seed),
        thread_([this] { work(); }) {}

  uint64_t operations() const { return operations_.load(); }
  // It gives everything back.
  void stop(Findings& findings) {
    stops_ = true;
    thread_.join();
    Findings told = findings_;
    told.counts.clear();
    told.count("untouched_ops", operations_);
    told.count("untouched_values", findings_.counted("values"));
    told.count("max_untouched_lookup_ms", slowest_lookup_ms_);
    findings.add(told);
  }

 private:
  void work() {
    const base::SteadyClock clock;
    Client client(*store_, catalog_, expected_, clock, findings_,
                  {.alone = false, .served = true, .context = fmt::format("untouched client of {} ", seed_)});
    Workload workload(catalog_, {.seed = seed_});
    while (!stops_ && findings_.clean()) {
      const Operation operation = workload.next();
      const auto begun = clock.now();
      client.run(operation);
      if (operation.kind == OpKind::kLookup) note_lookup(clock.now() - begun);
      client.poll();
      ++operations_;
    }
    client.release_all();
    const auto until = base::after(clock.now(), kSettleLimit);
    while (client.owed() > 0 && clock.now() < until) client.poll();
    if (client.owed() > 0)
      findings_.fail(fmt::format("untouched client: {} operations did not end", client.owed()));
    client.leave();
  }

  void note_lookup(base::Duration took) {
    const auto ms =
        static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(took).count());
    slowest_lookup_ms_ = std::max(slowest_lookup_ms_, ms);
    if (took > kLookupMost) findings_.fail(fmt::format("untouched client: a lookup took {} ms", ms));
  }

  const std::unique_ptr<Store> store_;
  const Catalog catalog_;
  ExpectedState expected_;
  const uint64_t seed_;
  Findings findings_;               // the thread's until it has ended
  uint64_t slowest_lookup_ms_ = 0;  // so is this
  std::atomic<uint64_t> operations_{0};
  std::atomic<bool> stops_{false};
  std::jthread thread_;
};

bool becomes(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + kSettleLimit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

class NetworkSessions {
 public:
  NetworkSessions(const RowOptions& options, uint64_t first, uint64_t count)
      : options_(options),
        first_(first),
        count_(count),
        directory_(
            (std::filesystem::path(options.directory.empty() ? std::filesystem::temp_directory_path().string()
                                                             : options.directory) /
             fmt::format("terrace-lab.network.{}.{}", ::getpid(), first))
                .string()),
        server_(options.program, {.scene = "network", .directory = directory_, .seed = first}) {}

  Findings run() {
    std::filesystem::create_directories(directory_);
    for (const char* figure : {"sessions", "ops"}) findings_.count(figure, 0);
    if (server_.start(findings_)) work();
    if (findings_.clean()) std::filesystem::remove_all(directory_);
    for (auto& failure : findings_.failures) failure += "; replay: " + replay(first_, count_);
    return std::move(findings_);
  }

 private:
  void work() {
    auto observer = server_.connect("lab, to look at it", findings_);
    auto untouched_store = server_.connect("untouched", findings_);
    if (observer == nullptr || untouched_store == nullptr) return;
    UntouchedClient untouched(std::move(untouched_store), first_);
    if (!becomes([&] { return untouched.operations() >= 300; }))
      findings_.fail("the untouched client is stuck");
    const uint64_t descriptors = nameless_descriptors(server_.pid());
    std::optional<uint64_t> memory;
    for (uint64_t done = 0; done < count_ && findings_.clean(); done += kSessionsPerChild) {
      run_faulty_client(first_ + done, std::min(kSessionsPerChild, count_ - done));
      if (!server_.runs()) return findings_.fail("the server has ended");
      check_descriptors(descriptors);
      if (!memory) memory = private_bytes(server_.pid());
    }
    untouched.stop(findings_);
    check_nothing_is_held(*observer);
    check_memory(memory.value_or(0));
    observer.reset();
    server_.stop(findings_);
  }

  void run_faulty_client(uint64_t first, uint64_t count) {
    const bool dies = first / kSessionsPerChild % 2 == 1;
    std::vector<std::string> words{options_.program, "network-child",       "--dir",   directory_,
                                   "--seed",         std::to_string(first), "--count", std::to_string(count)};
    if (dies) words.emplace_back("--dies");
    if (options_.verbose) words.emplace_back("--verbose");
    ChildProcess child(words);
    findings_.add(heard_from(child, directory_ + "/report", kChildLimit,
                             fmt::format("the client of sessions from {}", first), dies));
    if (dies) findings_.count("deaths");
  }

  // Sockets, processes watched and queues are those of the clients that are there.
  void check_descriptors(uint64_t before) {
    if (becomes([&] { return nameless_descriptors(server_.pid()) <= before; })) return;
    findings_.fail(fmt::format("the server has {} descriptors after a client has ended, {} before",
                               nameless_descriptors(server_.pid()), before));
  }

  void check_nothing_is_held(const Store& observer) {
    StoreStats stats;
    const bool nothing = becomes([&] {
      stats = observer.stats();
      return stats.leased_blocks + stats.reservations + stats.reserved_bytes + stats.writes_in_flight_bytes +
                 stats.private_bytes ==
             0;
    });
    if (nothing) return;
    findings_.fail(
        fmt::format("left behind: {} leased blocks, {} reservations, {} reserved bytes, {} bytes being "
                    "written, {} private bytes",
                    stats.leased_blocks, stats.reservations, stats.reserved_bytes,
                    stats.writes_in_flight_bytes, stats.private_bytes));
  }

  void check_memory(uint64_t before) {
    const uint64_t now = private_bytes(server_.pid());
    const uint64_t growth = now > before ? now - before : 0;
    findings_.count("max_growth_kib", growth / base::kKiB);
    if (growth > kGrowthMost && !is_sanitized()) {
      findings_.fail(fmt::format("the server's own memory grew from {} to {} bytes", before, now));
    }
  }

  const RowOptions& options_;
  const uint64_t first_, count_;
  const std::string directory_;
  ServerProcess server_;
  Findings findings_;
};

}  // namespace

StoreOptions network_store(uint64_t seed, const std::string& directory) {
  StoreOptions options;
  options.l1.budget = (seed / kSessionsPerServer % 2 == 0 ? 64 : 12) * base::kMiB;  // at times it evicts
  TierOptions disk;
  disk.disk.paths = {directory + "/store"};
  disk.disk.capacity = base::kGiB;  // all of it fits
  options.tiers = {disk};
  return options;
}

Findings network_sessions(const RowOptions& options, uint64_t first, uint64_t count) {
  return NetworkSessions(options, first, count).run();
}

Findings run_network(const RowOptions& options) {
  const uint64_t sessions = count_of(options, kFullSessions);
  WorkerOptions workers = workers_of(options, 13);
  workers.first = 0;
  workers.count = (sessions + kSessionsPerServer - 1) / kSessionsPerServer;
  workers.job_limit = std::chrono::minutes(5);
  const auto first = [&](uint64_t job) { return options.seed + job * kSessionsPerServer; };
  const auto count = [&](uint64_t job) {
    return std::min(kSessionsPerServer, sessions - job * kSessionsPerServer);
  };
  workers.replay = [&](uint64_t job) { return replay(first(job), count(job)); };
  return run_jobs(workers, [&](uint64_t job) { return network_sessions(options, first(job), count(job)); });
}

}  // namespace terrace::lab
