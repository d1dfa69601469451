// The processes that row 2 starts: one works until it is killed, one checks.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <memory>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "lab/client.h"
#include "lab/crash.h"
#include "policy/store.h"

namespace terrace::lab {
namespace {

constexpr uint32_t kClients = 4;
constexpr Timeout kRecoveryTimeout = std::chrono::seconds(30);
// Long enough for a disk that others use too; only a store that never answers passes it.
constexpr Timeout kReadTimeout = std::chrono::seconds(20);
constexpr uint64_t kRecoveryMsMax = 1000;  // P5

struct Scene {
  Catalog catalog;
  StoreOptions options;
};

Scene scene_of(const ChildOptions& child) {
  base::Random random(child.seed);
  const auto mix = static_cast<SizeMix>(random.below(kSizeMixes));
  Scene scene{Catalog({.seed = child.seed,
                       .namespaces = 2 * kClients,
                       .chains = 96,
                       .chain_blocks_max = 10,
                       .mix = mix,
                       .bytes_max = mix == SizeMix::kOne ? 256 * base::kKiB : 96 * base::kKiB}),
              {}};
  scene.options.l1.budget = 12 * base::kMiB;  // far less than the catalog: eviction runs
  // Nothing may leave the disk by itself: what was acknowledged is owed.
  TierOptions disk;
  disk.disk.paths = {child.directory + "/store"};
  disk.disk.capacity = 3 * scene.catalog.bytes() + base::kGiB / 2;
  disk.disk.io = random.one_in(3) ? IoChoice::kPsync : IoChoice::kAuto;
  // Every mode and store policy in turn; what a policy keeps off the disk is owed nothing.
  constexpr std::array kModes{L1Mode::kCache, L1Mode::kStaging, L1Mode::kCache, L1Mode::kOff};
  scene.options.l1.mode = kModes[child.cycle % kModes.size()];
  const auto policies = policy::store_policy_names();
  disk.store_policy = policies[child.cycle / kModes.size() % policies.size()];
  if (scene.options.l1.mode != L1Mode::kCache &&
      (disk.store_policy == "on_evict" || disk.store_policy == "none")) {
    disk.store_policy = "write_through";
  }
  scene.options.tiers = {disk};
  return scene;
}

// A killed process says nothing more, so what it finds is written at once.
class Journal {
 public:
  explicit Journal(const std::string& directory)
      : fd_(::open((directory + "/failures").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {}
  ~Journal() { ::close(fd_); }
  void write_new(const Findings& findings, size_t& written) const {
    for (; written < findings.failures.size(); written++) {
      const std::string line = findings.failures[written] + "\n";
      (void)!::write(fd_, line.data(), line.size());
    }
  }

 private:
  int fd_;
};

void check_disk(const TierStats& disk, Findings& findings) {
  if (disk.evictions + disk.evicted_segments > 0) findings.fail("the disk tier evicted");
  if (disk.allocated_bytes > disk.capacity_bytes) findings.fail("the disk tier is over its capacity");
}

void work(Store& store, const Scene& scene, ExpectedState& expected, const ChildOptions& child,
          uint32_t number, const Journal& journal) {
  const base::SteadyClock clock;
  Findings findings;
  // One of them changes the mode; the others are told the one that promises less.
  const std::string& policy = scene.options.tiers[0].store_policy;
  const bool switches = child.cycle % 8 == 0 && policy != "on_evict" && policy != "none";
  Client client(store, scene.catalog, expected, clock, findings,
                {.number = number,
                 .alone = false,
                 .reliable = true,
                 .pristine = false,
                 .complete = true,
                 .mode = switches && number > 0 ? L1Mode::kStaging : scene.options.l1.mode,
                 .switches = switches && number == 0,
                 .verbose = child.verbose,
                 .context = fmt::format("seed {} cycle {} client {} ", child.seed, child.cycle, number)});
  Workload workload(
      scene.catalog,
      {.seed = child.seed * 1'000'003 + child.cycle * 16 + number, .owner = number, .owners = kClients});
  size_t written = 0;
  bool recovered = false;
  client.set_complete(false);  // nothing is owed while recovery runs
  for (;;) {
    if (!recovered && store.wait_recovered(Timeout(0))) {
      recovered = true;
      client.set_complete(true);
    }
    const Operation operation = workload.next();
    client.run(operation);
    client.poll();
    expected.count_operation();
    if (client.operations() % 64 == 0) check_disk(store.stats().tiers[1], findings);
    journal.write_new(findings, written);
    if (operation.kind == OpKind::kPause)
      std::this_thread::sleep_for(std::chrono::microseconds(operation.pick % 500));
  }
}

int run_worker(const Scene& scene, ExpectedState& expected, const ChildOptions& child) {
  auto store = Store::open(scene.options);
  if (!store) {
    fmt::print(stderr, "cannot open: {}\n", store.error().message);
    return 1;
  }
  for (uint32_t space = 0; space < scene.catalog.spaces(); space++) {
    if (const auto root = (*store)->open_namespace(scene.catalog.space(space)); !root) return 1;
  }
  const Journal journal(child.directory);
  std::vector<std::jthread> threads;
  for (uint32_t number = 0; number < kClients; number++) {
    threads.emplace_back([&, number] { work(**store, scene, expected, child, number, journal); });
  }
  return 0;  // never: the threads run until the process is killed
}

// Every block of the catalog alone, in an order that follows from the cycle.
void check_all(Client& client, const Catalog& catalog, ExpectedState& expected, uint64_t cycle,
               Findings& findings) {
  base::Random random(cycle);
  std::vector<uint32_t> order(catalog.size());
  for (uint32_t i = 0; i < order.size(); i++) order[i] = i;
  for (size_t i = order.size(); i > 1; i--) std::swap(order[i - 1], order[random.below(i)]);
  for (const uint32_t block : order) {
    const KeyState before = expected.of(block);
    const auto found = client.check_block(block, kReadTimeout);
    findings.count("checked");
    if (before.must_be_found()) findings.count("owed");
    if (found.has_value()) expected.settle(block, *found);
  }
}

int run_checker(const Scene& scene, ExpectedState& expected, const ChildOptions& child) {
  const base::SteadyClock clock;
  Findings findings;
  const auto begun = clock.now();
  const auto elapsed_ms = [&] { return static_cast<uint64_t>((clock.now() - begun).count() / 1'000'000); };
  auto store = Store::open(scene.options);
  if (!store) {
    findings.fail(fmt::format("seed {} cycle {}: cannot open after a kill: {}", child.seed, child.cycle,
                              store.error().message));
  } else {
    const ClientOptions how{
        .alone = true,
        .reliable = true,
        .pristine = false,
        .complete = true,
        .mode = scene.options.l1.mode,
        .verbose = child.verbose,
        .context = fmt::format("seed {} cycle {} after the kill, ", child.seed, child.cycle)};
    const bool recovered = (*store)->wait_recovered(kRecoveryTimeout);
    const uint64_t recovery_ms = elapsed_ms();
    findings.count("max_recovery_ms", recovery_ms);
    if (!recovered || recovery_ms > kRecoveryMsMax) {
      findings.fail(
          fmt::format("seed {} cycle {}: recovery took {} ms", child.seed, child.cycle, recovery_ms));
    }
    Client client(**store, scene.catalog, expected, clock, findings, how);
    check_all(client, scene.catalog, expected, child.cycle, findings);
    client.poll();
    check_disk((*store)->stats().tiers[1], findings);
  }
  std::ofstream(child.directory + "/report") << to_json(findings).dump();
  if (child.cycle % 4 == 0) return 0;  // closed in order
  ::raise(SIGKILL);                    // or killed where it stands
  return 1;
}

}  // namespace

CLI::App* describe_child(CLI::App& app, ChildOptions& options) {
  CLI::App* child = app.add_subcommand("child", "what row 2 starts and kills");
  child->group("");  // not in --help
  child->add_option("--dir", options.directory)->required();
  child->add_option("--seed", options.seed);
  child->add_option("--cycle", options.cycle);
  child->add_flag("--check", options.check);
  child->add_flag("--verbose", options.verbose);
  return child;
}

int run_child(const ChildOptions& options) {
  const Scene scene = scene_of(options);
  auto expected = ExpectedState::open(options.directory + "/expected", scene.catalog.size());
  if (!expected) {
    fmt::print(stderr, "{}\n", expected.error().message);
    return 1;
  }
  return options.check ? run_checker(scene, **expected, options) : run_worker(scene, **expected, options);
}

}  // namespace terrace::lab
