#include "cli/simulate_report.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/duration.h"

namespace terrace::cli {
namespace {

constexpr double kSecond = 1e9;
constexpr double kDay = 86'400e9;

double ratio(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

bool is_bound(const simulate::Answer& answer) {
  return answer.policy == simulate::kOptimum || answer.policy == simulate::kUnbounded;
}

// Scaled from the trace's duration; null when it has none.
Json per_day(const SimulationReport& report, double amount) {
  const auto duration = static_cast<double>(report.trace.duration());
  return duration > 0 ? Json(amount * kDay / duration) : Json();
}

void add_written(Json& to, const SimulationReport& report, uint64_t blocks) {
  const auto bytes = static_cast<double>(blocks) * static_cast<double>(report.block_bytes);
  to["blocks_written"] = blocks;
  to["blocks_written_per_day"] = per_day(report, static_cast<double>(blocks));
  to["bytes_written_per_day"] = report.block_bytes == 0 ? Json() : per_day(report, bytes);
}

std::string tier_name(size_t index, size_t tiers) {
  if (tiers == 1) return "cache";
  return index == 0 ? "l1" : "disk";
}

Json row_of(const SimulationReport& report, const simulate::Answer& answer) {
  const auto& figures = answer.figures;
  Json row{{"policy", answer.policy}, {"capacity_blocks", figures.tiers.front().capacity_blocks}};
  if (figures.tiers.size() > 1) row["disk_blocks"] = figures.tiers.back().capacity_blocks;
  row.update(Json{{"accesses", figures.accesses},
                  {"unique_blocks", report.trace.unique_blocks()},
                  {"hits", figures.hits},
                  {"prefix_hits", figures.prefix_hits},
                  {"hit_ratio", ratio(figures.hits, figures.accesses)},
                  {"prefix_hit_ratio", ratio(figures.prefix_hits, figures.accesses)}});
  add_written(row, report, figures.tiers.back().written_blocks);
  row["tiers"] = Json::array();
  for (size_t i = 0; i < figures.tiers.size(); ++i) {
    const auto& tier = figures.tiers[i];
    Json entry{{"tier", tier_name(i, figures.tiers.size())},
               {"capacity_blocks", tier.capacity_blocks},
               {"prefix_hits", tier.prefix_hits},
               {"prefix_hit_ratio", ratio(tier.prefix_hits, figures.accesses)},
               {"blocks_evicted", tier.evicted_blocks}};
    add_written(entry, report, tier.written_blocks);
    row["tiers"].push_back(std::move(entry));
  }
  row["seconds"] = answer.seconds;
  return row;
}

std::string percent(uint64_t part, uint64_t whole) {
  return fmt::format("{:.2f} %", 100 * ratio(part, whole));
}

std::string size_of(const SimulationReport& report, uint64_t blocks) {
  if (report.block_bytes == 0) return fmt::to_string(blocks);
  return fmt::format("{} ({})", blocks, base::format_size(blocks * report.block_bytes));
}

std::string written_per_day(const SimulationReport& report, uint64_t blocks) {
  const Json amount = per_day(report, static_cast<double>(blocks));
  if (amount.is_null()) return "-";
  const auto daily = static_cast<uint64_t>(amount.get<double>());
  return report.block_bytes == 0 ? fmt::format("{} blocks", daily)
                                 : base::format_size(daily * report.block_bytes);
}

std::string summary_of(const SimulationReport& report) {
  const simulate::Trace& trace = report.trace;
  const auto seconds = base::Duration(static_cast<int64_t>(trace.duration()));
  const std::string tokens = trace.block_tokens == 0 ? "" : fmt::format(" of {} tokens", trace.block_tokens);
  return fmt::format("{}: {} over {}, {} asked for, {} different\n\n", report.file,
                     count_of(trace.requests.size(), "request"), base::format_duration(seconds),
                     count_of(trace.accesses.size(), "block") + tokens, trace.unique_blocks());
}

// A line of the chart holds one policy, and with a disk one size of L1: what is drawn is its disk's size.
std::string line_name(const simulate::Answer& answer) {
  const auto& tiers = answer.figures.tiers;
  if (tiers.size() == 1) return answer.policy;
  return fmt::format("{}, L1 {}", answer.policy, tiers.front().capacity_blocks);
}

}  // namespace

Json document_of(const SimulationReport& report) {
  const simulate::Trace& trace = report.trace;
  Json document;
  document["trace"] = Json{{"file", report.file},
                           {"format", report.format},
                           {"requests", trace.requests.size()},
                           {"accesses", trace.accesses.size()},
                           {"unique_blocks", trace.unique_blocks()},
                           {"block_tokens", trace.block_tokens == 0 ? Json() : Json(trace.block_tokens)},
                           {"block_bytes", report.block_bytes == 0 ? Json() : Json(report.block_bytes)},
                           {"duration_seconds", static_cast<double>(trace.duration()) / kSecond}};
  document["rows"] = Json::array();
  for (const auto& answer : report.answers) document["rows"].push_back(row_of(report, answer));
  return document;
}

std::string text_of(const SimulationReport& report) {
  const bool with_disk =
      std::ranges::any_of(report.answers, [](const auto& answer) { return answer.figures.tiers.size() > 1; });
  std::vector<std::string> titles{"POLICY", with_disk ? ">L1 BLOCKS" : ">CAPACITY BLOCKS"};
  if (with_disk) titles.insert(titles.end(), {">DISK BLOCKS", ">FROM L1", ">FROM DISK"});
  titles.insert(titles.end(), {">PREFIX HITS", ">WRITTEN A DAY", ">SECONDS"});
  Table table(titles);
  for (const auto& answer : report.answers) {
    const auto& figures = answer.figures;
    const auto& tiers = figures.tiers;
    std::vector<std::string> cells{answer.policy, size_of(report, tiers.front().capacity_blocks)};
    if (with_disk && tiers.size() == 1) cells.insert(cells.end(), {"-", "-", "-"});
    if (tiers.size() > 1) {
      cells.push_back(size_of(report, tiers.back().capacity_blocks));
      for (const auto& tier : tiers) cells.push_back(percent(tier.prefix_hits, figures.accesses));
    }
    cells.push_back(percent(figures.prefix_hits, figures.accesses));
    cells.push_back(written_per_day(report, tiers.back().written_blocks));
    cells.push_back(fmt::format("{:.2f}", answer.seconds));
    table.add(std::move(cells));
  }
  return summary_of(report) + table.text();
}

simulate::Chart chart_of(const SimulationReport& report, const std::vector<simulate::Answer>& bounds) {
  simulate::Chart chart;
  const auto path = std::filesystem::path(report.file + "/").lexically_normal();  // "sessions/" too
  chart.title = fmt::format("Prefix hits, {}", path.parent_path().filename().string());
  chart.subtitle = fmt::format("{} requests, {} blocks asked for, {} different", report.trace.requests.size(),
                               report.trace.accesses.size(), report.trace.unique_blocks());
  chart.size_label = "capacity in blocks, logarithmic";
  const auto add = [&](const simulate::Answer& answer) {
    const std::string name = is_bound(answer) ? answer.policy : line_name(answer);
    auto line = std::ranges::find(chart.lines, name, &simulate::ChartLine::name);
    if (line == chart.lines.end()) {
      chart.lines.push_back({name, {}, is_bound(answer)});
      line = std::prev(chart.lines.end());
    }
    const auto& figures = answer.figures;
    const auto size = static_cast<double>(figures.tiers.back().capacity_blocks);
    line->points.push_back({size, ratio(figures.prefix_hits, figures.accesses)});
  };
  for (const auto& answer : report.answers) {
    if (!is_bound(answer)) add(answer);
  }
  for (const auto& answer : bounds) add(answer);
  for (auto& line : chart.lines) std::ranges::sort(line.points, {}, &simulate::ChartPoint::size);
  return chart;
}

}  // namespace terrace::cli
