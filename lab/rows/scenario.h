// What one seed of the simulation is about: drawn once, before anything runs.
#pragma once

#include <cstdint>
#include <string>

#include "base/random.h"
#include "io/fault_plan.h"
#include "lab/kit/catalog.h"
#include "lab/kit/machine.h"

namespace terrace::lab {

inline constexpr uint64_t kServedL1 = 2;  // times the budget of a store without a server

struct Scenario {
  CatalogOptions catalog;
  MachineOptions machine;
  io::FaultRates faults;
  tier::mock::MockFaults mock_faults;
  bool errors = false;       // the device reports errors, or is late
  bool lies = false;         // the device says that all is well, and it is not
  bool full_device = false;  // another process takes the device's space now and then
  bool roomy = true;         // nothing is ever evicted from the disk: everything is owed
  bool removes = true;
  bool switches = false;     // between the modes cache and staging, now and then
  bool quotas = false;       // tenants have some, others now and then; of row 1 only
  bool served = false;       // the clients are a server's; of row 1 only
  bool drops = false;        // connections end, clients die, and the server ends under those that live on
  bool resizes = false;      // L1, and a disk that is not roomy, have another size in each life
  uint32_t fair_one_in = 4;  // stretches without faults; 0: none
  uint32_t lives = 1;
  uint32_t clients = 1;    // that share the store
  uint32_t pace_us = 100;  // virtual time between operations, up to

  // Every tier is written without an L1 that answers: the mode may be staging (M5).
  bool writes_without_l1() const;
  TierMask evicting_tiers() const;  // those whose policy lets anything leave
  bool reliable() const { return !errors && !lies && !full_device; }
};

Scenario draw_scenario(uint64_t seed);
// The same store, of a server.
void serve(Scenario& scenario, uint64_t seed);
// L1's budget for blocks of this catalog.
uint64_t draw_l1_budget(const CatalogOptions& catalog, base::Random& random);
std::string describe(const Scenario& scenario);

}  // namespace terrace::lab
