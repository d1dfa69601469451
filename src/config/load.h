// From sources to options: defaults, then the file, then the environment, then flags; a later one wins (C1).
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "config/configuration.h"
#include "config/source.h"

namespace terrace::config {

struct Sources {
  std::string file = {};  // YAML; empty: none
  Environment environment = {};
  std::vector<std::string> sets = {};  // "key=value"
};

template <class T>
using Checked = std::expected<T, std::vector<Problem>>;

// All problems of all sources, in this order: reading, keys and values, what values say together. The last is
// looked at only when the others are right. Opens no store and touches no directory.
Checked<Configuration> load(const Sources& sources);

// The same in two steps, for who adds settings of its own: what each source says, the strongest (the flags)
// last, and what they come to.
std::vector<Source> read_sources(const Sources& sources);
Checked<Configuration> load(std::vector<Source> sources);

// "terrace.yaml:3: l1.budget: '8 potatoes' is not a size: ...".
std::string to_string(const Problem& problem);
// A problem a line, as a failure of kInvalidArgument.
std::unexpected<Failure> failure_of(const std::vector<Problem>& problems);

// What allowed values say together: keys of the wrong kind of tier, disks, the length of
// the socket's path, StoreOptions::validate().
std::vector<Problem> check_together(const Configuration& configuration);

}  // namespace terrace::config
