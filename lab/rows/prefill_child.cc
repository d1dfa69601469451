// The process that row 15 starts twice: one seed's work on real files and on the simulated machine.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "base/bytes.h"
#include "lab/kit/client.h"
#include "lab/kit/machine.h"
#include "lab/kit/plain_machine.h"
#include "lab/rows/prefill.h"

namespace terrace::lab {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kLives = 2, kOperations = 400;
constexpr Timeout kDrain = std::chrono::seconds(30);
constexpr const char* kSimulated = "/store";

struct PrefillOptions {
  std::string directory;
  uint64_t seed = 1;
  unsigned fill = 0;  // of the arena; the heap is filled by MALLOC_PERTURB_
};

// What both machines are told alike.
struct Scene {
  explicit Scene(uint64_t seed)
      : catalog({.seed = seed,
                 .chains = 24,
                 .chain_blocks_max = 8,
                 .mix = static_cast<SizeMix>(seed % kSizeMixes),
                 .bytes_max = 24 * base::kKiB}) {
    disk.segment_bytes = 256 * base::kKiB;
    disk.capacity_bytes = 24 * disk.segment_bytes;  // evicts in some mixes
    constexpr L1Mode kModes[] = {L1Mode::kCache, L1Mode::kStaging, L1Mode::kOff};
    store.l1.mode = kModes[seed % std::size(kModes)];
    store.l1.budget = 4 * base::kMiB;
    rules.store_policy = seed % 2 == 1 ? "skip_l1" : "write_through";
  }

  Catalog catalog;
  StoreOptions store;
  tier::disk::DiskOptions disk;
  TierOptions rules;
};

ClientOptions options_of(const Scene& scene, uint64_t seed) {
  ClientOptions options;
  options.seed = seed;
  options.pristine = false;
  options.complete = false;
  options.mode = scene.store.l1.mode;
  return options;
}

// One seed's operations in `kLives` lives of a store; what the client finds wrong is of other rows, and said.
template <class AnyMachine>
Findings work(const Scene& scene, uint64_t seed, AnyMachine& machine) {
  Findings findings;
  base::VirtualExecutor& time = machine.time();
  ExpectedState expected(scene.catalog.size());
  Workload workload(scene.catalog, {.seed = seed});
  for (uint64_t life = 0; life < kLives; ++life) {
    const auto started = machine.start();
    if (!started) {
      findings.fail(started.error().message);
      return findings;
    }
    Store* const store = &machine.store();
    for (uint32_t space = 0; space < scene.catalog.spaces(); ++space) {
      (void)store->open_namespace(scene.catalog.space(space));
    }
    (void)store->wait_recovered(kDrain);
    Client client(*store, scene.catalog, expected, time, findings, options_of(scene, seed));
    for (uint64_t i = 0; i < kOperations; ++i) {
      const Operation operation = workload.next();
      client.run(operation);
      time.run_for(std::chrono::microseconds(operation.pick % 200));
      client.poll();
    }
    client.release_all();
    for (int i = 0; i < 1000 && client.owed() > 0; ++i) {
      time.run_for(std::chrono::milliseconds(1));
      client.poll();
    }
    client.abandon();
    machine.stop(kDrain);
  }
  return findings;
}

Findings on_files(const Scene& scene, const PrefillOptions& options) {
  PlainMachineOptions how{
      .seed = options.seed, .store = scene.store, .disk = scene.disk, .disk_rules = scene.rules};
  how.disk.paths = {options.directory + "/files"};
  how.fill = static_cast<std::byte>(options.fill);
  PlainMachine machine(how);
  return work(scene, options.seed, machine);
}

Findings on_machine(const Scene& scene, const PrefillOptions& options) {
  MachineOptions how;
  how.seed = options.seed;
  how.store = scene.store;
  how.disk = scene.disk;
  how.disk_rules = scene.rules;
  how.disk.paths = {kSimulated};
  how.arena_fill = static_cast<std::byte>(options.fill);
  Machine machine(how);
  Findings findings = work(scene, options.seed, machine);
  fs::create_directories(options.directory + "/machine");
  for (const std::string& name : machine.disk().list(kSimulated).value_or(std::vector<std::string>{})) {
    const auto bytes = machine.disk().contents(std::string(kSimulated) + "/" + name);
    if (!bytes) continue;
    std::ofstream(options.directory + "/machine/" + name, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes->data()), static_cast<std::streamsize>(bytes->size()));
  }
  return findings;
}

int run_child(const PrefillOptions& options) {
  const Scene scene(options.seed);
  Findings findings = on_files(scene, options);
  findings.add(on_machine(scene, options));
  for (const std::string& failure : findings.failures) fmt::print("{}\n", failure);
  return findings.clean() ? 0 : 1;
}

}  // namespace

RunChild describe_prefill_child(CLI::App& command) {
  const auto options = std::make_shared<PrefillOptions>();
  command.add_option("--dir", options->directory)->required();
  command.add_option("--seed", options->seed);
  command.add_option("--fill", options->fill);
  return [options] { return run_child(*options); };
}

}  // namespace terrace::lab
