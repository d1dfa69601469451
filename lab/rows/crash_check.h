// What is looked at after a kill, whoever the store's clients were.
#pragma once

#include <cstdint>

#include "lab/kit/client.h"
#include "lab/rows/crash_scene.h"

namespace terrace::lab {

// Long enough for a disk that others use too; only a store that never answers passes it.
inline constexpr Timeout kReadTimeout = std::chrono::seconds(20);
inline constexpr uint64_t kRecoveryMsMax = 1000;  // P5

// Every block of the catalog alone, in an order that follows from the cycle.
void check_all(Client& client, const CrashScene& scene, ExpectedState& expected, uint64_t cycle,
               Findings& findings);
void check_disk(const CrashScene& scene, const TierStats& disk, Findings& findings);

}  // namespace terrace::lab
