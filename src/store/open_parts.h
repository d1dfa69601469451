// What a real store runs on: clock, executor thread, IO engines and tiers of this machine.
#pragma once

#include <terrace/options.h>

#include "store/storage_manager.h"

namespace terrace::store {

// Errors name the option, its value and what is allowed, or what the machine refused.
Outcome<StoreParts> open_parts(const StoreOptions& options);

}  // namespace terrace::store
