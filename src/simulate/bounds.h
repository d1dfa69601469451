// What no policy can beat: the offline optimum of a capacity, and a cache without one.
#pragma once

#include "simulate/replay.h"

namespace terrace::simulate {

// The most hits any policy could get with this capacity, knowing the future: whenever something must leave,
// or stay out, it is the block whose next use is farthest away (Belady 1966, with the freedom not to store a
// block). A prefix is used whenever its block is, so no block's next use is earlier than its parent's; with
// ties broken towards the deeper block what is held stays whole prefixes, so this is the optimum under the
// prefix rule too. The found prefix is sampled when the request arrives, as in replay().
Figures optimum(const Trace& trace, uint64_t capacity_blocks, const ReplayProgress& progress = {});

// Everything stays: the trace's own reuse.
Figures unbounded(const Trace& trace);

}  // namespace terrace::simulate
