// One L2 tier and what the store keeps about it. Guarded by the store's mutex.
#pragma once

#include <memory>
#include <string>

#include <terrace/store.h>

#include "policy/admission.h"
#include "policy/store.h"
#include "store/absence.h"
#include "store/latency.h"
#include "store/residency.h"
#include "tier/tier.h"

namespace terrace::store {

struct TierState {
  std::unique_ptr<tier::Tier> tier;
  std::unique_ptr<Residency> residency;
  std::unique_ptr<tier::TierListener> listener;
  std::unique_ptr<policy::StorePolicy> store_policy;
  std::unique_ptr<policy::AdmissionPolicy> admission;
  TierOptions options;
  bool shared = false;  // others write there too: `residency` is what this process wrote or saw
  Absence absence;      // of a shared tier
  std::string name;
  bool recovered = false;
  uint64_t capacity = 0;
  TierStats counts;  // the counters of stats(); the rest is asked of the tier
  std::unique_ptr<Latencies> latencies = std::make_unique<Latencies>();
};

}  // namespace terrace::store
