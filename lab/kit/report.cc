#include "lab/kit/report.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace terrace::lab {
namespace {

constexpr size_t kFailuresOfOne = 3;
constexpr size_t kLeadingFigures = 2;  // how much was done; then how well

bool merges_by_maximum(const std::string& name) {
  return name.starts_with("max_");
}

}  // namespace

void Findings::count(const std::string& name, uint64_t more) {
  for (auto& [known, value] : counts) {
    if (known == name) {
      value = merges_by_maximum(name) ? std::max(value, more) : value + more;
      return;
    }
  }
  counts.emplace_back(name, more);
}

uint64_t Findings::counted(const std::string& name) const {
  for (const auto& [known, value] : counts) {
    if (known == name) return value;
  }
  return 0;
}

void Findings::keep(std::string what) {
  if (failures.size() < kFailuresKept) failures.push_back(std::move(what));
}

void Findings::fail(std::string what) {
  failed++;
  keep(std::move(what));
}

void Findings::fail_wrong(std::string what) {
  wrong++;
  keep("WRONG BYTES: " + std::move(what));
}

void Findings::add(const Findings& other) {
  wrong += other.wrong;
  failed += other.failed;
  for (const auto& [name, value] : other.counts) count(name, value);
  // A few of each, so that many kinds show.
  for (size_t i = 0; i < std::min<size_t>(other.failures.size(), kFailuresOfOne); i++)
    keep(other.failures[i]);
}

nlohmann::json to_json(const Findings& findings) {
  nlohmann::json counts = nlohmann::json::array();
  for (const auto& [name, value] : findings.counts) counts.push_back({name, value});
  return {{"wrong", findings.wrong},
          {"failed", findings.failed},
          {"failures", findings.failures},
          {"counts", counts}};
}

Findings findings_from_json(const nlohmann::json& json) {
  Findings findings;
  findings.wrong = json.at("wrong").get<uint64_t>();
  findings.failed = json.at("failed").get<uint64_t>();
  findings.failures = json.at("failures").get<std::vector<std::string>>();
  for (const auto& pair : json.at("counts")) {
    findings.count(pair.at(0).get<std::string>(), pair.at(1).get<uint64_t>());
  }
  return findings;
}

std::string line(const RowReport& report) {
  if (!report.skipped.empty()) return fmt::format("row {}: skipped: {}", report.row, report.skipped);
  const Findings& found = report.findings;
  std::string text = fmt::format("row {}:", report.row);
  for (size_t i = 0; i < found.counts.size(); i++) {
    if (i == kLeadingFigures) text += fmt::format(" wrong={} failed={}", found.wrong, found.failed);
    text += fmt::format(" {}={}", found.counts[i].first, found.counts[i].second);
  }
  if (found.counts.size() <= kLeadingFigures)
    text += fmt::format(" wrong={} failed={}", found.wrong, found.failed);
  return text + fmt::format(" {} in {:.1f} s", report.passed() ? "passed" : "FAILED", report.seconds);
}

nlohmann::json to_json(const RowReport& report) {
  nlohmann::ordered_json figures = nlohmann::ordered_json::object();
  for (const auto& [name, value] : report.findings.counts) figures[name] = value;
  figures["failed"] = report.findings.failed;
  figures["seconds"] = report.seconds;
  return {{"row", report.row},
          {"title", report.title},
          {"figures", figures},
          {"wrong", report.findings.wrong},
          {"passed", report.passed()},
          {"skipped", report.skipped.empty() ? nlohmann::json() : nlohmann::json(report.skipped)},
          {"failures", report.findings.failures}};
}

}  // namespace terrace::lab
