#include "lab/rows.h"

#include <array>
#include <cstdio>

#include <fmt/format.h>

#include "lab/bitrot.h"
#include "lab/crash.h"
#include "lab/misdirection.h"
#include "lab/simulation.h"

namespace terrace::lab {
namespace {

constexpr std::array<Row, 4> kRows{{
    {1, "deterministic simulation", "seeds",
     "The whole store on virtual time: hostile sizes, small L1, faults, power cuts and kills by seed.",
     run_simulation},
    {2, "kill -9, black box", "cycles",
     "A real process with 4 clients on a real directory is killed after 20 to 400 ms; what it acknowledged "
     "is there.",
     run_crash},
    {5, "bit rot", "rounds",
     "Bits of headers, slot tables, superblocks and payloads are flipped, pages zeroed, filled with 0xFF and "
     "swapped.",
     run_bitrot},
    {6, "misdirection and previous lives", "cases",
     "Writes and reads land elsewhere, old records and files of other stores and generations are put in "
     "place.",
     run_misdirection},
}};

}  // namespace

std::span<const Row> rows() {
  return kRows;
}

const Row* find_row(int number) {
  for (const Row& row : kRows) {
    if (row.number == number) return &row;
  }
  return nullptr;
}

uint64_t count_of(const RowOptions& options, uint64_t full) {
  return options.count.value_or(options.quick ? (full + 9) / 10 : full);
}

std::function<void(uint64_t, uint64_t)> progress_of(const RowOptions& options, int row) {
  if (!options.progress) return {};
  return [row](uint64_t ended, uint64_t count) {
    fmt::print(stderr, "\rrow {}: {} of {}{}", row, ended, count, ended == count ? "\r\033[K" : "");
    std::fflush(stderr);
  };
}

RowReport run_row(const Row& row, const RowOptions& options) {
  RowReport report{.row = row.number, .title = std::string(row.title)};
  const auto begun = std::chrono::steady_clock::now();
  report.findings = row.run(options);
  report.skipped = report.findings.skipped;
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  return report;
}

}  // namespace terrace::lab
