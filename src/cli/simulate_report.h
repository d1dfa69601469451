// What terrace simulate answers: as a document, as text, as a chart.
#pragma once

#include <string>
#include <vector>

#include "cli/output.h"
#include "simulate/chart.h"
#include "simulate/sweep.h"

namespace terrace::cli {

struct SimulationReport {
  std::string file;
  std::string format;
  uint64_t block_bytes = 0;  // 0: not told
  simulate::Trace trace{};
  std::vector<simulate::Answer> answers{};
};

Json document_of(const SimulationReport& report);
std::string text_of(const SimulationReport& report);
simulate::Chart chart_of(const SimulationReport& report, const std::vector<simulate::Answer>& bounds);

}  // namespace terrace::cli
