// A connection that says what no client of ours would: to a server it is one more session, which ends.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "lab/kit/report.h"
#include "memory/mapping.h"

namespace terrace::lab {

// Memory that hostile sessions were given to fill, still mapped when they have ended: whatever their process
// writes there, nobody else sees.
class KeptMemory {
 public:
  void keep(memory::Mapping mapping) { mappings_.push_back(std::move(mapping)); }
  void scribble();

 private:
  std::vector<memory::Mapping> mappings_;
};

// One of them, by what `random` draws. Figures name its kind. It asks for nothing that takes away what others
// have stored.
void run_hostile_session(const std::string& socket, base::Random& random, KeptMemory& kept,
                         Findings& findings);

}  // namespace terrace::lab
