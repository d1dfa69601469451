#include "lab/rows/scenario.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "base/bytes.h"
#include "policy/eviction.h"
#include "policy/store.h"

namespace terrace::lab {
namespace {

using io::FaultKind;

uint64_t between(base::Random& random, uint64_t least, uint64_t most) {
  return least + random.below(most - least + 1);
}

uint64_t log_between(base::Random& random, uint64_t least, uint64_t most) {
  const double low = std::log2(static_cast<double>(least)), high = std::log2(static_cast<double>(most));
  return static_cast<uint64_t>(std::exp2(low + random.unit() * (high - low)));
}

CatalogOptions draw_catalog(uint64_t seed, base::Random& random) {
  CatalogOptions catalog;
  catalog.seed = seed;
  catalog.namespaces = static_cast<uint32_t>(between(random, 1, 4));
  catalog.chains = catalog.namespaces * static_cast<uint32_t>(between(random, 2, 16));
  catalog.chain_blocks_max = static_cast<uint32_t>(between(random, 1, 12));
  catalog.mix = static_cast<SizeMix>(random.below(kSizeMixes));
  catalog.bytes_max = log_between(random, 2 * base::kKiB, 96 * base::kKiB);
  if (random.one_in(16)) {  // blocks of several parts
    catalog.bytes_max = 1800 * base::kKiB;
    catalog.chains = catalog.namespaces * 2;
    catalog.chain_blocks_max = 5;
  }
  return catalog;
}

void draw_faults(Scenario& scenario, base::Random& random) {
  const auto maybe = [&](FaultKind kind, double most) {
    if (random.one_in(3))
      scenario.faults.chance[kind] = most / static_cast<double>(log_between(random, 1, 32));
  };
  if (scenario.errors) {
    for (const FaultKind kind :
         {FaultKind::kReadError, FaultKind::kWriteError, FaultKind::kSyncError, FaultKind::kOpenError,
          FaultKind::kAllocateError, FaultKind::kAllocateNoSpace, FaultKind::kRemoveError,
          FaultKind::kListError, FaultKind::kLockError}) {
      maybe(kind, 1.0 / 16);
    }
    maybe(FaultKind::kBadSector, 1.0 / 256);
    maybe(FaultKind::kDelay, 1.0 / 8);
    scenario.faults.delay_min = std::chrono::milliseconds(1);
    scenario.faults.delay_max = std::chrono::milliseconds(log_between(random, 2, 8000));
  }
  if (scenario.lies) {
    for (const FaultKind kind : {FaultKind::kReadFlip, FaultKind::kMisdirectedRead, FaultKind::kTornWrite,
                                 FaultKind::kLostWrite, FaultKind::kMisdirectedWrite}) {
      maybe(kind, 1.0 / 16);
    }
  }
}

void draw_mock(Scenario& scenario, base::Random& random) {
  MachineOptions::Mock mock;
  mock.first = random.one_in(2);
  mock.capacity = random.one_in(2) ? 0 : log_between(random, 64 * base::kKiB, 8 * base::kMiB);
  mock.tier.seed = scenario.machine.seed;
  mock.tier.latency = std::chrono::microseconds(log_between(random, 10, 5000));
  mock.tier.jitter = mock.tier.latency / 2;
  mock.tier.survives_restart = random.one_in(2);
  mock.tier.local_memory = random.one_in(4);
  if (scenario.errors) {
    scenario.mock_faults.read_error = random.one_in(2) ? 0.05 : 0;
    scenario.mock_faults.write_error = random.one_in(2) ? 0.05 : 0;
    scenario.mock_faults.down = random.one_in(8);
  }
  if (scenario.lies) scenario.mock_faults.flip_bit = random.one_in(2) ? 0.05 : 0;
  scenario.machine.mock = mock;
}

void draw_machine(Scenario& scenario, base::Random& random) {
  MachineOptions& machine = scenario.machine;
  const uint64_t segment_sizes[] = {256 * base::kKiB, base::kMiB, 4 * base::kMiB};
  machine.disk.segment_bytes = segment_sizes[random.below(3)];
  const auto paths = random.one_in(3) ? between(random, 2, 3) : 1;
  for (uint64_t path = 0; path < paths; path++) machine.disk.paths.push_back(fmt::format("/store{}", path));
  const Catalog catalog(scenario.catalog);
  const uint64_t records = catalog.bytes() + catalog.size() * 2 * base::kPage;
  // Roomy: every size class may waste a segment, and then some. Tight: about half of the catalog fits.
  const uint64_t roomy = 3 * records + 64 * machine.disk.segment_bytes;
  const uint64_t tight = records / 2 + 3 * machine.disk.segment_bytes;
  machine.disk.capacity_bytes = paths * (scenario.roomy ? roomy : tight);
  machine.disk.sync_interval =
      random.one_in(3) ? std::chrono::milliseconds(50) : std::chrono::milliseconds(1000);
  machine.disk.sync_bytes = log_between(random, 256 * base::kKiB, 256 * base::kMiB);
  machine.latency = std::chrono::microseconds(log_between(random, 5, 2000));
  machine.bytes_per_ns = random.one_in(4) ? 0.1 : 2.0;

  StoreOptions& store = machine.store;
  store.l1.budget = draw_l1_budget(scenario.catalog, random);
  store.l1.verify = static_cast<VerifyL1>(random.below(3));
  if (random.one_in(8)) {
    store.l1.high_watermark = 0.6;
    store.l1.low_watermark = random.one_in(2) ? 0.4 : 0.05;
  }
  if (random.one_in(8)) store.write_back = WriteBack::kNever;
  if (random.one_in(4)) store.region_loads = RegionLoads::kBounced;
  if (random.one_in(4)) store.store_bytes_in_flight = log_between(random, 64 * base::kKiB, base::kMiB);
  if (random.one_in(4)) store.prefetch_bytes_in_flight = log_between(random, 64 * base::kKiB, base::kMiB);
  store.prefetch_hold = std::chrono::milliseconds(log_between(random, 1, 4000));
  store.history = static_cast<uint32_t>(random.one_in(4) ? 16 : 65536);
}

template <class T>
const T& one_of(base::Random& random, const std::vector<T>& all) {
  return all[random.below(all.size())];
}

// Half of the tiers follow the defaults; the rest anything that goes with the mode (M5).
void draw_rules(TierOptions& tier, bool cache, base::Random& random) {
  if (random.one_in(2)) return;
  do tier.store_policy = one_of(random, policy::store_policy_names());
  while (!cache && !policy::stores_without_l1(**policy::make_store_policy(tier.store_policy)));
  tier.eviction = one_of(random, policy::eviction_policy_names());
  if (!random.one_in(8)) return;
  tier.admission = "write_budget";
  tier.write_bytes_per_second = log_between(random, 64 * base::kKiB, 16 * base::kMiB);
}

void draw_policies(Scenario& scenario, base::Random& random) {
  StoreOptions& store = scenario.machine.store;
  const uint64_t kind = random.below(8);
  if (kind == 1 || kind == 2) store.l1.mode = L1Mode::kStaging;
  if (kind == 3) store.l1.mode = L1Mode::kOff, store.region_loads = RegionLoads::kDirect;
  scenario.switches = kind == 4;
  const bool cache = store.l1.mode == L1Mode::kCache && !scenario.switches;
  if (random.one_in(4)) store.l1.eviction = one_of(random, policy::eviction_policy_names());
  draw_rules(scenario.machine.disk_rules, cache, random);
  if (scenario.machine.mock) draw_rules(scenario.machine.mock->rules, cache, random);
  if (random.one_in(4)) store.write_back = WriteBack::kSecondTouch;
  if (random.one_in(4)) store.prefetch_policy = PrefetchPolicy::kTemporary;
}

std::string_view name_of(L1Mode mode) {
  return mode == L1Mode::kCache ? "cache" : mode == L1Mode::kStaging ? "staging" : "off";
}

}  // namespace

bool Scenario::writes_without_l1() const {
  const auto writes = [](const TierOptions& tier) {
    return policy::stores_without_l1(**policy::make_store_policy(tier.store_policy));
  };
  return machine.store.l1.mode != L1Mode::kOff && writes(machine.disk_rules) &&
         (!machine.mock || writes(machine.mock->rules));
}

TierMask Scenario::evicting_tiers() const {
  const auto bit = [](uint32_t tier, const std::string& eviction) {
    return static_cast<TierMask>(eviction == "noop" ? 0 : 1u << tier);
  };
  const uint32_t disk = machine.mock && machine.mock->first ? 2 : 1;
  auto tiers =
      static_cast<TierMask>(bit(0, machine.store.l1.eviction) | bit(disk, machine.disk_rules.eviction));
  if (machine.mock) tiers |= bit(3 - disk, machine.mock->rules.eviction);
  return tiers;
}

uint64_t draw_l1_budget(const CatalogOptions& catalog, base::Random& random) {
  const uint64_t budget = 2 * base::kMiB * between(random, 2, 6);
  return catalog.bytes_max > base::kMiB ? std::max(budget, 8 * base::kMiB) : budget;
}

Scenario draw_scenario(uint64_t seed) {
  base::Random random(seed ^ 0x5CE4A210);
  Scenario scenario;
  scenario.roomy = !random.one_in(3);
  const uint64_t weather =
      random.below(10);  // four fair, three with errors, two that lie, one with everything
  scenario.errors = weather == 4 || weather == 5 || weather == 6 || weather == 9;
  scenario.lies = weather >= 7;
  scenario.full_device = weather == 6;
  scenario.lives = static_cast<uint32_t>(between(random, 1, 5));
  scenario.pace_us = static_cast<uint32_t>(log_between(random, 1, 2000));
  scenario.catalog = draw_catalog(seed, random);
  scenario.machine.seed = seed;
  draw_machine(scenario, random);
  draw_faults(scenario, random);
  if (random.one_in(3)) draw_mock(scenario, random);
  draw_policies(scenario, random);
  if (random.one_in(3))
    scenario.clients = static_cast<uint32_t>(between(random, 1, scenario.catalog.namespaces));
  scenario.resizes = random.one_in(4);
  // A tier that keeps no deadline: what is asked of it outlives every wait.
  if (scenario.machine.mock && scenario.errors && random.one_in(4))
    scenario.machine.mock->tier.latency = std::chrono::seconds(between(random, 5, 30));
  return scenario;
}

// Who runs the server changes the mode. Each client fills segments of its own.
void serve(Scenario& scenario, uint64_t seed) {
  base::Random random(seed ^ 0x5E12);
  scenario.served = scenario.machine.shared_memory = true;
  scenario.switches = false;
  scenario.drops = !random.one_in(3);
  scenario.machine.store.l1.budget *= kServedL1;
}

std::string describe(const Scenario& scenario) {
  const Catalog catalog(scenario.catalog);
  const MachineOptions& machine = scenario.machine;
  std::string text = fmt::format(
      "{} blocks in {} chains, sizes {} up to {}, {} in all; L1 {}; disk {} in {} paths, segments of {}, {}; "
      "{} clients, {} lives",
      catalog.size(), catalog.chains(), to_string(scenario.catalog.mix), scenario.catalog.bytes_max,
      base::format_size(catalog.bytes()), base::format_size(machine.store.l1.budget),
      base::format_size(machine.disk.capacity_bytes), machine.disk.paths.size(),
      base::format_size(machine.disk.segment_bytes), scenario.roomy ? "roomy" : "tight", scenario.clients,
      scenario.lives);
  if (machine.mock) {
    text += fmt::format("; a mock tier {} it of {}, {}", machine.mock->first ? "before" : "behind",
                        machine.mock->capacity == 0 ? "any size" : base::format_size(machine.mock->capacity),
                        machine.mock->tier.survives_restart ? "that survives" : "that starts empty");
  }
  text +=
      fmt::format("; L1 {}{}, {}; disk {}, {}, {}", name_of(machine.store.l1.mode),
                  scenario.switches ? " and staging" : "", machine.store.l1.eviction,
                  machine.disk_rules.store_policy, machine.disk_rules.eviction, machine.disk_rules.admission);
  if (scenario.resizes) text += "; another size in each life";
  if (scenario.served) text += scenario.drops ? "; a server, and connections that end" : "; a server";
  if (scenario.quotas) text += "; tenants have quotas";
  if (scenario.full_device) text += "; the device fills up";
  for (size_t i = 0; i < io::kFaultKinds; i++) {
    const auto kind = static_cast<FaultKind>(i);
    if (scenario.faults.chance[kind] > 0) {
      text += fmt::format("; {} {:.4f}", io::to_string(kind), scenario.faults.chance[kind]);
    }
  }
  return text;
}

}  // namespace terrace::lab
