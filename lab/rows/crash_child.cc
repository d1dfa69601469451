// The processes that rows 2 and 3 start: one works until it is killed, one checks.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/hooks.h"
#include "lab/kit/client.h"
#include "lab/rows/crash.h"
#include "lab/rows/crash_check.h"
#include "lab/rows/crash_scene.h"

namespace terrace::lab {
namespace {

constexpr Timeout kRecoveryTimeout = std::chrono::seconds(30);

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

// What the workload draws too seldom for a process that lives for a few hundred operations.
Operation hurry(Operation operation, uint64_t number) {
  if (operation.kind != OpKind::kStore) return operation;  // the others need not be of the client's own keys
  if (number % 64 == 33) operation.kind = OpKind::kClear;
  if (number % 8 == 5) operation.kind = OpKind::kRemove;
  if (number % 32 == 9) operation.kind = OpKind::kSync;
  return operation;
}

// The tier is taken out of use for a moment. Only where nothing is owed: what it holds is not found then.
void drain_now_and_then(Store& store, const CrashScene& scene, uint64_t number, Findings& findings) {
  if (scene.complete || number % 64 != 50) return;
  const std::string& disk = scene.options.tiers[0].name;
  if (!store.drain_tier(disk, std::chrono::milliseconds(20)) || !store.resume_tier(disk)) {
    findings.fail("the tier could not be drained and resumed");
  }
}

// Everything the client still waits for comes, and nothing of its memory is in use any more.
void come_to_an_end(Client& client, Findings& findings) {
  client.release_all();
  const base::SteadyClock clock;
  const auto until = base::after(clock.now(), kReadTimeout);
  while (client.owed() > 0 && clock.now() < until) {
    client.poll();
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  if (client.owed() > 0) findings.fail(fmt::format("{} operations did not end", client.owed()));
}

void work(Store& store, const CrashScene& scene, ExpectedState& expected, const ChildOptions& child,
          uint32_t number, const Journal& journal, std::latch& ended) {
  const base::SteadyClock clock;
  Findings findings;
  // One of them changes the mode; the others are told the one that promises less.
  const bool switches = child.cycle % 8 == 0 && scene.options.l1.mode == L1Mode::kCache &&
                        works_without_l1(scene.options.tiers[0]);
  Client client(store, scene.catalog, expected, clock, findings,
                {.number = number,
                 .alone = false,
                 .reliable = true,
                 .drains = !scene.complete,
                 .pristine = false,
                 .complete = false,  // nothing is owed while recovery runs
                 .mode = switches && number > 0 ? L1Mode::kStaging : scene.options.l1.mode,
                 .switches = switches && number == 0,
                 .verbose = child.verbose,
                 .context = fmt::format("seed {} cycle {} client {} ", child.seed, child.cycle, number)});
  Workload workload(
      scene.catalog,
      {.seed = child.seed * 1'000'003 + child.cycle * 16 + number, .owner = number, .owners = kCrashClients});
  size_t written = 0;
  bool recovered = false;
  while (child.ops == 0 || client.operations() < child.ops) {
    if (!recovered && store.wait_recovered(Timeout(0))) {
      recovered = true;
      client.set_complete(scene.complete);
    }
    Operation operation = workload.next();
    if (child.hurried) operation = hurry(operation, client.operations());
    client.run(operation);
    client.poll();
    expected.count_operation();
    if (child.hurried && number == 0) drain_now_and_then(store, scene, client.operations(), findings);
    if (client.operations() % 64 == 0) check_disk(scene, store.stats().tiers[1], findings);
    journal.write_new(findings, written);
    if (operation.kind == OpKind::kPause)
      std::this_thread::sleep_for(std::chrono::microseconds(operation.pick % 500));
  }
  come_to_an_end(client, findings);
  journal.write_new(findings, written);
  ended.arrive_and_wait();  // the regions of one stay registered while another makes its own
}

bool name_namespaces(Store& store, const CrashScene& scene, const ChildOptions& child) {
  for (uint32_t space = 0; space < scene.catalog.spaces(); space++) {
    if (!store.open_namespace(scene.catalog.space(space))) return false;
  }
  Namespace fresh;  // that no life before has written down
  fresh.model_id = fmt::format("lab-{}-cycle-{}", child.seed, child.cycle);
  return !child.hurried || store.open_namespace(fresh).has_value();
}

// Ends only with child.ops: else until the process is killed.
int run_worker(const CrashScene& scene, ExpectedState& expected, const ChildOptions& child) {
  auto store = Store::open(scene.options);
  if (!store) {
    fmt::print(stderr, "cannot open: {}\n", store.error().message);
    return 1;
  }
  if (!name_namespaces(**store, scene, child)) return 1;
  const Journal journal(child.directory);
  {
    std::latch ended(kCrashClients);
    std::vector<std::jthread> threads;
    for (uint32_t number = 0; number < kCrashClients; number++) {
      threads.emplace_back([&, number] { work(**store, scene, expected, child, number, journal, ended); });
    }
  }
  const auto abandoned = (*store)->close(kReadTimeout);
  return abandoned && *abandoned == 0 ? 0 : 1;
}

// Under another name first: what is there is whole, whenever the process is killed.
void write_report(const ChildOptions& child, const Findings& findings) {
  const std::string path = child.directory + "/report";
  std::ofstream(path + ".new") << to_json(findings).dump();
  std::filesystem::rename(path + ".new", path);
}

int run_checker(const CrashScene& scene, ExpectedState& expected, const ChildOptions& child) {
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
        .complete = scene.complete,
        .mode = scene.options.l1.mode,
        .verbose = child.verbose,
        .context = fmt::format("seed {} cycle {} after the kill, ", child.seed, child.cycle)};
    const bool recovered = (*store)->wait_recovered(kRecoveryTimeout);
    const uint64_t recovery_ms = elapsed_ms();
    findings.count("max_recovery_ms", recovery_ms);
    // Row 3 runs many processes at once, which share a disk: how long one takes is not its question.
    if (!recovered || (!child.hurried && recovery_ms > kRecoveryMsMax)) {
      findings.fail(
          fmt::format("seed {} cycle {}: recovery took {} ms", child.seed, child.cycle, recovery_ms));
    }
    Client client(**store, scene.catalog, expected, clock, findings, how);
    check_all(client, scene, expected, child.cycle, findings);
    client.poll();
    check_disk(scene, (*store)->stats().tiers[1], findings);
  }
  write_report(child, findings);
  // Killed where it stands, or closed in order: always, when it is to be killed by name.
  if (child.point.empty() && child.cycle % 4 != 0) ::raise(SIGKILL);
  return 0;
}

// From here on the process may be killed by name.
Outcome<void> arm(const ChildOptions& child) {
  if (child.point.empty()) return {};
#if defined(TERRACE_HOOKS)
  const int32_t position = base::hooks::position_of(base::hooks::Kind::kCrashPoint, child.point);
  if (position >= 0) {
    base::hooks::arm_crash(position, child.nth);
    return {};
  }
#endif
  return failure(Code::kInvalidArgument, fmt::format("no crash point '{}'", child.point));
}

int run_child(const ChildOptions& options) {
  const CrashScene scene = crash_scene(options);
  auto expected = ExpectedState::open(options.directory + "/expected", scene.catalog.size());
  const auto armed = arm(options);
  if (!expected || !armed) {
    fmt::print(stderr, "{}\n", expected ? armed.error().message : expected.error().message);
    return 1;
  }
  if (const auto made = options.hurried ? make_small_segments(scene.options) : Outcome<void>(); !made) {
    fmt::print(stderr, "cannot make the store: {}\n", made.error().message);
    return 1;
  }
  return options.check ? run_checker(scene, **expected, options) : run_worker(scene, **expected, options);
}

}  // namespace

std::vector<std::string> crash_child_words(const std::string& program, const ChildOptions& child) {
  std::vector<std::string> words{program,   "child",
                                 "--dir",   child.directory,
                                 "--seed",  std::to_string(child.seed),
                                 "--cycle", std::to_string(child.cycle),
                                 "--ops",   std::to_string(child.ops)};
  if (!child.point.empty()) {
    words.insert(words.end(), {"--point", child.point, "--nth", std::to_string(child.nth)});
  }
  if (child.hurried) words.emplace_back("--hurried");
  if (child.check) words.emplace_back("--check");
  if (child.verbose) words.emplace_back("--verbose");
  return words;
}

RunChild describe_crash_child(CLI::App& command) {
  const auto options = std::make_shared<ChildOptions>();
  command.add_option("--dir", options->directory)->required();
  command.add_option("--seed", options->seed);
  command.add_option("--cycle", options->cycle);
  command.add_option("--point", options->point);
  command.add_option("--nth", options->nth);
  command.add_option("--ops", options->ops);
  command.add_flag("--hurried", options->hurried);
  command.add_flag("--check", options->check);
  command.add_flag("--verbose", options->verbose);
  return [options] { return run_child(*options); };
}

}  // namespace terrace::lab
