// What rows ask of the disk tier's breakers in a phase of the simulation, in virtual time.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "lab/kit/workload.h"
#include "lab/rows/simulation.h"

namespace terrace::lab {

class TierWatch {
 public:
  TierWatch(Stage& stage, uint64_t seed);

  size_t paths() const;
  size_t open_paths() const;  // whose breaker is open, or that cannot be opened
  // Operations that wait for nothing, each followed by `step`, until `when` says so or the time is over.
  // Returns how long it took.
  base::Duration drive(base::Duration step, base::Duration longest, const std::function<bool()>& when);
  // The device is well from now on: every path is back within five seconds, and stores reach the disk again.
  void expect_return();
  // While no path answers: lookups skip the disk, and what other tiers and L1 hold is delivered.
  void expect_others_answer();

 private:
  void expect_delivered(uint32_t block);

  Stage& stage_;
  Workload workload_;
};

}  // namespace terrace::lab
