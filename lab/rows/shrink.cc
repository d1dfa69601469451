#include "lab/rows/shrink.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace terrace::lab {
namespace {

constexpr uint64_t kOpsMin = 10;

struct Part {
  std::string_view name;
  void (*leave_out)(Scenario& scenario);
};

constexpr std::array kParts{
    Part{"clients", [](Scenario& scenario) { scenario.clients = 1; }},
    Part{"lives", [](Scenario& scenario) { scenario.lives = 1; }},
    Part{"mock", [](Scenario& scenario) { scenario.machine.mock.reset(); }},
    Part{"lies",
         [](Scenario& scenario) {
           scenario.lies = false;
           scenario.mock_faults.flip_bit = 0;
           for (const auto kind :
                {io::FaultKind::kReadFlip, io::FaultKind::kMisdirectedRead, io::FaultKind::kTornWrite,
                 io::FaultKind::kLostWrite, io::FaultKind::kMisdirectedWrite}) {
             scenario.faults.chance[kind] = 0;
           }
         }},
    Part{"faults",
         [](Scenario& scenario) {
           scenario.errors = scenario.lies = scenario.full_device = false;
           scenario.faults = {};
           scenario.mock_faults = {};
         }},
    Part{"removals", [](Scenario& scenario) { scenario.removes = false; }},
    Part{"resizes", [](Scenario& scenario) { scenario.resizes = false; }},
    Part{"drops", [](Scenario& scenario) { scenario.drops = false; }},
    Part{"server",
         [](Scenario& scenario) {
           scenario.served = scenario.drops = scenario.machine.shared_memory = false;
         }},
    Part{"quotas", [](Scenario& scenario) { scenario.quotas = false; }},
    Part{"mode-changes", [](Scenario& scenario) { scenario.switches = false; }},
    Part{"policies",
         [](Scenario& scenario) {
           scenario.machine.disk_rules = {};
           if (scenario.machine.mock) scenario.machine.mock->rules = {};
         }},
    Part{"paths", [](Scenario& scenario) { scenario.machine.disk.paths.resize(1); }},
};

bool fails(const SimulationPlan& plan) {
  return !simulate(plan, false).findings.clean();
}

}  // namespace

std::string parts_of_scenario() {
  std::vector<std::string_view> names;
  for (const Part& part : kParts) names.push_back(part.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

Outcome<void> leave_out(const std::vector<std::string>& parts, Scenario& scenario) {
  for (const std::string& name : parts) {
    const auto part = std::ranges::find(kParts, name, &Part::name);
    if (part == kParts.end()) {
      return failure(Code::kInvalidArgument,
                     fmt::format("--without {}: there are {}", name, parts_of_scenario()));
    }
    part->leave_out(scenario);
  }
  return {};
}

Shrunk shrink(const SimulationPlan& plan) {
  SimulationPlan smallest = plan;
  Shrunk shrunk;
  const auto try_plan = [&](SimulationPlan smaller) {
    shrunk.runs++;
    if (!fails(smaller)) return false;
    smallest = std::move(smaller);
    return true;
  };
  const auto fewer_operations = [&] {
    for (uint64_t step = smallest.ops / 2; step > 0 && smallest.ops > kOpsMin;) {
      SimulationPlan smaller = smallest;
      smaller.ops -= std::min(step, smaller.ops - kOpsMin);
      step = try_plan(std::move(smaller)) ? std::min(step, smallest.ops / 2) : step / 2;
    }
  };
  fewer_operations();
  for (const Part& part : kParts) {
    SimulationPlan smaller = smallest;
    part.leave_out(smaller.scenario);
    if (try_plan(std::move(smaller))) shrunk.without.emplace_back(part.name);
  }
  fewer_operations();
  shrunk.ops = smallest.ops;
  return shrunk;
}

}  // namespace terrace::lab
