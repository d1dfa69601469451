// Options of a store from a configuration file (docs/guide/configuration.md lists the keys).
#pragma once

#include <string>

#include <terrace/error.h>
#include <terrace/options.h>

namespace terrace {

// Defaults, overridden by the YAML file, overridden by TERRACE_* variables of this process's environment; an
// empty name means no file. The options are ready for Store::open: validate() has allowed them. The section
// `server` is checked, and of use to `terrace serve` alone.
// kInvalidArgument: the message has a line for each problem, naming the key, its value, what is allowed and
// FILE:LINE or the variable. Reads the file and the environment once and keeps nothing; may block on the file
// system. From any thread, but not while another one changes the environment.
Outcome<StoreOptions> load_options(const std::string& file);

}  // namespace terrace
