// Row 20: nothing grows, of one process.
#pragma once

#include <cstdint>
#include <string_view>

#include "lab/kit/process_figures.h"
#include "lab/kit/report.h"

namespace terrace::lab {

// The least and the most of each figure over some cycles.
struct FigureRange {
  ProcessFigures least, most;
  bool empty = true;

  void take(const ProcessFigures& figures);
};

// Descriptors and threads.
void check_no_more(const ProcessFigures& before, const ProcessFigures& after, std::string_view when,
                   Findings& findings);
// Of the time from `before` to `after`; adds the figures max_<whose>cpu_per_million and
// max_<whose>wakeups_per_30_s.
void check_idle(const ProcessFigures& before, const ProcessFigures& after, uint64_t seconds,
                std::string_view whose, Findings& findings);

// Over many cycles. The first ones fill what is kept for the next: stacks of threads, arenas of the
// allocator. Then a leak of one thing a cycle has the last quarter begin above all that the first one saw;
// what merely comes and goes does not.
class GrowthWatch {
 public:
  explicit GrowthWatch(uint64_t cycles);

  uint64_t cycles() const { return warm_ + cycles_; }  // to be done
  bool wants(uint64_t cycle) const { return is_first(cycle) || is_last(cycle); }
  void take(uint64_t cycle, const ProcessFigures& figures);
  // Adds the figure max_<whose>growth_kib.
  void check(std::string_view whose, Findings& findings) const;

 private:
  bool is_first(uint64_t cycle) const { return cycle >= warm_ && cycle < warm_ + cycles_ / 4; }
  bool is_last(uint64_t cycle) const { return cycle >= warm_ + cycles_ - cycles_ / 4; }

  const uint64_t cycles_, warm_;
  FigureRange first_, last_;
};

}  // namespace terrace::lab
