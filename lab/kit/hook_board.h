// The hooks' board (base/hooks.h) of one lab run, in memory that its forked jobs and started children share:
// what they reached adds up, and the mutant planted for the run is planted in all of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <terrace/error.h>

namespace terrace::lab {

// Shares the board of the process that started this one, or makes one for the children to come. Before
// threads start. Does nothing in a build without hooks.
Outcome<void> share_hook_board();

// In a forked child, before it becomes another program: that one makes a board of its own.
void leave_hook_board();

bool has_hooks();
// Plants the mutant in this process and every child. kInvalidArgument: there is none of this name.
Outcome<void> plant(const std::string& mutant);

// The name of the planted mutant; empty when there is none.
std::string_view planted();

struct PointHits {
  std::string_view name;
  uint64_t hits = 0;
};
// What was reached so far, in this process and all that share its board; in the order of their names.
std::vector<PointHits> probes();
std::vector<PointHits> crash_points();
std::vector<PointHits> mutants();  // hits: how often a planted one misbehaved
uint64_t hits_of(std::string_view name);

}  // namespace terrace::lab
