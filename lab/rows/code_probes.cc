#include "lab/rows/code_probes.h"

#include <fmt/format.h>

#include "lab/kit/hook_board.h"

namespace terrace::lab {

Findings run_code_probes(const RowOptions&) {
  Findings findings;
  if (!has_hooks()) {
    findings.skipped = "this build has no hooks: take the dev preset's";
    return findings;
  }
  findings.count("reached", 0);
  for (const PointHits& probe : probes()) {
    findings.count("probes");
    if (probe.hits > 0) {
      findings.count("reached");
    } else {
      findings.fail(
          fmt::format("{} was never reached; terrace-lab run without --row runs all rows", probe.name));
    }
  }
  return findings;
}

}  // namespace terrace::lab
