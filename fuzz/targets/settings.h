// What every source of configuration is held to, whatever text it came from.
#pragma once

#include "config/load.h"
#include "config/source.h"

namespace terrace::fuzz {

// Loads the source; what is allowed is written as YAML and read back as the same options.
void check_source(const config::Source& source);

}  // namespace terrace::fuzz
