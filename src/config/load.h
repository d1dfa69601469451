// From sources to options: defaults, then the file, then the environment, then flags; a later one wins (C1).
#pragma once

#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <terrace/options.h>

#include "config/source.h"

namespace terrace::config {

struct Sources {
  std::string file = {};  // YAML; empty: none
  Environment environment = {};
  std::vector<std::string> sets = {};  // "key=value"
};

struct Configuration {
  StoreOptions options;                        // validate() has allowed them
  std::map<std::string, std::string> origins;  // of each key that is not as it was by default
  std::vector<std::string> warnings;           // StoreOptions::warnings()
};

template <class T>
using Checked = std::expected<T, std::vector<Problem>>;

// All problems of all sources, in this order: reading, keys and values, what values say together. The last is
// looked at only when the others are right. Opens no store and touches no directory.
Checked<Configuration> load(const Sources& sources);

// The same, of settings that were read already, the strongest source last.
Checked<Configuration> load(std::vector<Source> sources);

// "terrace.yaml:3: l1.budget: '8 potatoes' is not a size: ...".
std::string to_string(const Problem& problem);
// A problem a line, as a failure of kInvalidArgument.
std::unexpected<Failure> failure_of(const std::vector<Problem>& problems);

// What allowed values say together: keys of the wrong kind of tier, disks, StoreOptions::validate().
std::vector<Problem> check_together(const Configuration& configuration);

}  // namespace terrace::config
