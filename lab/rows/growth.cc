#include "lab/rows/growth.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "lab/rows/child_report.h"

namespace terrace::lab {
namespace {

constexpr uint64_t kCpuPerMille = 2;              // of the idle time, P14
constexpr uint64_t kGrowthMost = 2 * base::kMiB;  // of memory, over all cycles

}  // namespace

void FigureRange::take(const ProcessFigures& figures) {
  if (empty) least = most = figures;
  empty = false;
  for (auto member : {&ProcessFigures::rss_bytes, &ProcessFigures::mappings, &ProcessFigures::descriptors,
                      &ProcessFigures::threads}) {
    least.*member = std::min(least.*member, figures.*member);
    most.*member = std::max(most.*member, figures.*member);
  }
}

void check_no_more(const ProcessFigures& before, const ProcessFigures& after, std::string_view when,
                   Findings& findings) {
  const auto grew = [&](std::string_view what, uint64_t from, uint64_t to) {
    if (to > from) findings.fail(fmt::format("{}: {} {} became {}", when, from, what, to));
  };
  grew("descriptors", before.descriptors, after.descriptors);
  grew("threads", before.threads, after.threads);
}

void check_idle(const ProcessFigures& before, const ProcessFigures& after, uint64_t seconds,
                std::string_view whose, Findings& findings) {
  check_no_more(before, after, fmt::format("{}idle", whose), findings);
  const auto used = static_cast<uint64_t>((after.cpu - before.cpu).count());
  findings.count(fmt::format("max_{}cpu_per_million", whose), used / seconds);
  findings.count(fmt::format("max_{}wakeups_per_30_s", whose),
                 (after.voluntary_switches - before.voluntary_switches) * 30 / seconds);
  if (used >= seconds * 1000 * kCpuPerMille)
    findings.fail(fmt::format("{}idle: {} us of processor time in {} s", whose, used, seconds));
}

GrowthWatch::GrowthWatch(uint64_t cycles) : cycles_(cycles), warm_(std::max<uint64_t>(100, cycles / 5)) {}

void GrowthWatch::take(uint64_t cycle, const ProcessFigures& figures) {
  if (is_first(cycle)) first_.take(figures);
  if (is_last(cycle)) last_.take(figures);
}

void GrowthWatch::check(std::string_view whose, Findings& findings) const {
  const std::string when = fmt::format("{}after all cycles", whose);
  check_no_more(first_.most, last_.least, when, findings);
  if (is_sanitized()) return;
  const uint64_t before = first_.most.rss_bytes, after = last_.least.rss_bytes;
  const uint64_t grown = after > before ? after - before : 0;
  findings.count(fmt::format("max_{}growth_kib", whose), grown / base::kKiB);
  if (last_.least.mappings > first_.most.mappings)
    findings.fail(fmt::format("{}: {} mappings became {}", when, first_.most.mappings, last_.least.mappings));
  if (grown > kGrowthMost) findings.fail(fmt::format("{}: memory grew by {} KiB", when, grown / base::kKiB));
}

}  // namespace terrace::lab
