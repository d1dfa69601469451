// The faulty client's process of row 13.
#include <csignal>
#include <filesystem>
#include <thread>

#include <unistd.h>

#include <fmt/format.h>
#include <terrace/client.h>
#include <CLI/CLI.hpp>

#include "lab/kit/client.h"
#include "lab/kit/socket_proxy.h"
#include "lab/rows/child_report.h"
#include "lab/rows/hostile_session.h"
#include "lab/rows/network.h"

namespace terrace::lab {
namespace {

constexpr uint64_t kOps = 150;           // of a session
constexpr int kHostileTogether = 4;      // hostile sessions that count as one
constexpr uint64_t kSetUpBytes = 6'000;  // that a client says before it works
constexpr std::chrono::seconds kEndLimit{20}, kAwayLimit{20};
constexpr Timeout kPatience = std::chrono::seconds(2);

struct NetworkChild {
  std::string directory;
  uint64_t seed = 1;  // the first session
  uint64_t count = 1;
  bool dies = false;  // in the middle of the last one
  bool verbose = false;
};

// What befalls the connections of one session: one kind of end, at another place each time.
class Faults {
 public:
  explicit Faults(base::Random& random) : random_(random.next()) {
    pace_ = static_cast<LinkPlan::Pace>(random.below(4));
    end_ = static_cast<LinkPlan::End>(random.below(4));
    stalls_ = random.one_in(4);
  }
  // A reset ends both sides at once, so the client cannot know when its own memory is left alone.
  bool may_use_caller_memory() const { return end_ != LinkPlan::End::kReset; }

  LinkPlan draw() {
    LinkPlan plan{.pace = pace_, .end = end_};
    plan.counts_answers = random_.one_in(2);
    plan.end_after = 1 + random_.below(random_.one_in(3) ? 400 : 20'000);
    if (std::exchange(first_, false)) plan.end_after += kSetUpBytes;
    if (stalls_) plan.stall = std::chrono::milliseconds(10 + random_.below(80));
    plan.stall_after = random_.below(kSetUpBytes);
    return plan;
  }

 private:
  base::Random random_;
  LinkPlan::Pace pace_;
  LinkPlan::End end_;
  bool stalls_;
  bool first_ = true;
};

class ProxiedSession {
 public:
  ProxiedSession(const NetworkChild& child, uint64_t number, Findings& findings)
      : child_(child),
        number_(number),
        findings_(findings),
        random_(number * 31 + 7),
        catalog_({.seed = number,
                  .namespaces = 2,
                  .chains = 16,
                  .chain_blocks_max = 6,
                  .mix = static_cast<SizeMix>(random_.below(kSizeMixes)),
                  .bytes_max = 24 << 10}),
        expected_(catalog_.size()) {}

  // With `dies` the process ends in its middle.
  void run(bool dies) {
    Faults faults(random_);
    const std::string path = fmt::format("{}/run/proxy.{}", child_.directory, ::getpid());
    SocketProxy proxy(path, child_.directory + "/run/socket", [&] { return faults.draw(); });
    const auto store = terrace::connect({.socket = path, .name = "faulty", .patience = kPatience});
    if (!store) return findings_.fail(fmt::format("session {}: {}", number_, store.error().message));
    for (uint32_t space = 0; space < catalog_.spaces(); space++)
      (void)(*store)->open_namespace(catalog_.space(space));
    Findings seen;
    {
      Client client(**store, catalog_, expected_, clock_, seen,
                    {.alone = false,
                     .served = true,
                     .server_ends = true,
                     .verbose = child_.verbose,
                     .context = fmt::format("session {} ", number_)});
      work(client, **store, proxy, faults.may_use_caller_memory(), dies ? kOps / 2 : kOps);
      if (!dies) come_to_an_end(client, seen);
      report(seen, client, proxy);
      if (dies) die();
    }
  }

 private:
  void work(Client& client, Store& store, const SocketProxy& proxy, bool caller_memory, uint64_t operations) {
    Workload workload(catalog_, {.seed = number_});
    while (client.operations() < operations) {
      wait_for_a_link(store, proxy);
      const Operation operation = workload.next();
      const bool own = operation.kind == OpKind::kPut || operation.kind == OpKind::kGetInto;
      if (own && !caller_memory) continue;
      client.run(operation);
      client.poll();
    }
  }

  // Calls connect again, after pauses.
  void wait_for_a_link(Store& store, const SocketProxy& proxy) {
    const auto until = std::chrono::steady_clock::now() + kAwayLimit;
    while (proxy.open_links() == 0) {
      (void)store.lookup({});
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      if (std::chrono::steady_clock::now() > until)
        return findings_.fail(fmt::format("session {}: the client does not connect again", number_));
    }
  }

  void come_to_an_end(Client& client, Findings& seen) {
    client.release_all();
    const auto until = std::chrono::steady_clock::now() + kEndLimit;
    while (client.owed() > 0 && std::chrono::steady_clock::now() < until) {
      client.poll();
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    if (client.owed() > 0)
      seen.fail(fmt::format("session {}: {} operations did not end", number_, client.owed()));
  }

  // With all that it holds.
  void die() {
    tell(child_.directory + "/report", findings_);
    ::raise(SIGKILL);
  }

  void report(const Findings& seen, const Client& client, const SocketProxy& proxy) {
    Findings told = seen;
    told.counts.clear();
    told.count("ops", client.operations());
    told.count("values", seen.counted("values"));
    const SocketProxy::Counts counts = proxy.counts();
    told.count("links", counts.links);
    told.count("one_byte", counts.one_byte);
    told.count("pieces", counts.pieces);
    told.count("late", counts.late);
    told.count("stalls", counts.stalls);
    told.count("half_closes", counts.half_closes);
    told.count("truncations", counts.truncations);
    told.count("resets", counts.resets);
    findings_.add(told);
  }

  const NetworkChild& child_;
  const uint64_t number_;
  Findings& findings_;
  base::Random random_;
  const Catalog catalog_;
  ExpectedState expected_;
  const base::SteadyClock clock_;
};

int run_network_child(const NetworkChild& child) {
  Findings findings;
  KeptMemory kept;
  for (uint64_t number = child.seed; number < child.seed + child.count; number++) {
    findings.count("sessions");
    const bool dies = child.dies && number + 1 == child.seed + child.count;
    if (number % 4 == 3 && !dies) {
      base::Random random(number);
      for (int i = 0; i < kHostileTogether; i++)
        run_hostile_session(child.directory + "/run/socket", random, kept, findings);
    } else {
      ProxiedSession(child, number, findings).run(dies);
    }
    kept.scribble();
  }
  return tell(child.directory + "/report", findings);
}

}  // namespace

RunChild describe_network_child(CLI::App& command) {
  const auto options = std::make_shared<NetworkChild>();
  command.add_option("--dir", options->directory)->required();
  command.add_option("--seed", options->seed);
  command.add_option("--count", options->count);
  command.add_flag("--dies", options->dies);
  command.add_flag("--verbose", options->verbose);
  return [options] { return run_network_child(*options); };
}

}  // namespace terrace::lab
