// Row 17: small protocols of the store, each under every order in which its threads can meet, or every one
// with few preemptions (kit/interleave.h).
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "lab/kit/interleave.h"
#include "lab/rows/rows.h"

namespace terrace::lab {

struct Protocol {
  std::string_view name;  // of the protocol, and what is special here: "pin/evict, from the tier"
  // At most so many in a schedule; absent: every interleaving. With --quick one less, and a few of all.
  std::optional<uint32_t> preemptions;
  ThreadPlan (*make)(Findings& findings);
};

std::span<const Protocol> protocols();  // all, in the order of the files they stand in; none without hooks
std::span<const Protocol> pin_protocols();
std::span<const Protocol> publish_protocols();
std::span<const Protocol> cancel_protocols();
std::span<const Protocol> stop_protocols();

// Searches one, by its number from 1; failures name the schedule.
Findings interleave(const RowOptions& options, uint64_t seed);

Findings run_interleavings(const RowOptions& options);

}  // namespace terrace::lab
