// For the tests of the kit and of its rows.
#pragma once

#include <string>

#include "lab/kit/report.h"

namespace terrace::lab {

// A line each.
inline std::string failures(const Findings& findings) {
  std::string text;
  for (const auto& failure : findings.failures) text += failure + "\n";
  return text;
}

}  // namespace terrace::lab
