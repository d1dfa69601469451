// The outcome of a row of the matrix, as a line for people and as JSON for machines.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace terrace::lab {

// Failures kept with their text; beyond them only the count grows.
inline constexpr size_t kFailuresKept = 60;

// What one seed, cycle or batch of cases found. Reports of a row add up.
struct Findings {
  uint64_t wrong = 0;                 // wrong bytes: P1, P2, P3 broken
  uint64_t failed = 0;                // every other broken rule
  std::vector<std::string> failures;  // in words, each with what replays it; at most kFailuresKept
  std::vector<std::pair<std::string, uint64_t>> counts;  // summed by name, in order of first mention
  std::string skipped;                                   // why the row could not run on this machine

  // Names that begin with "max_" keep the largest value, others add up.
  void count(const std::string& name, uint64_t more = 1);
  uint64_t counted(const std::string& name) const;

  void fail(std::string what);
  void fail_wrong(std::string what);
  void add(const Findings& other);
  bool clean() const { return wrong == 0 && failed == 0; }

 private:
  void keep(std::string what);
};

struct RowReport {
  int row = 0;
  std::string title{};
  Findings findings{};
  double seconds = 0;
  std::string skipped{};  // why the row did not run

  bool passed() const { return skipped.empty() && findings.clean(); }
};

// Findings travel between processes as JSON.
nlohmann::json to_json(const Findings& findings);
Findings findings_from_json(const nlohmann::json& json);

// "row 1: seeds=200 ops=1000000 wrong=0 ... passed in 71.3 s".
std::string line(const RowReport& report);
// The `rows` of --json.
nlohmann::json to_json(const RowReport& report);

}  // namespace terrace::lab
