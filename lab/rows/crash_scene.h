// What the processes of rows 2 and 3 work on: a catalog and the store's options, both from the seed of their
// directory and the number of the cycle, so that worker and checker agree without talking.
#pragma once

#include <terrace/store.h>

#include "lab/kit/catalog.h"
#include "lab/rows/crash.h"

namespace terrace::lab {

inline constexpr uint32_t kCrashClients = 4;

struct CrashScene {
  Catalog catalog;
  StoreOptions options;
  // Nothing leaves the disk by itself: what was acknowledged is owed. Else it is small and evicts.
  bool complete = true;
};

CrashScene crash_scene(const ChildOptions& child);
// Row 3: the directories' segments are far smaller than a store would choose, so that they come and go.
Outcome<void> make_small_segments(const StoreOptions& options);
bool works_without_l1(const TierOptions& tier);

}  // namespace terrace::lab
