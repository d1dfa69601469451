// A connection that says what no client of ours would: to a server it is one more session, which ends.
#pragma once

#include <cstdint>
#include <string>

#include "base/random.h"
#include "lab/kit/report.h"

namespace terrace::lab {

// One of them, by what `random` draws. Figures name its kind. It asks for nothing that takes away what others
// have stored.
void run_hostile_session(const std::string& socket, base::Random& random, Findings& findings);

}  // namespace terrace::lab
