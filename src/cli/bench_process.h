// A second process for experiments on what several share.
#pragma once

#include <functional>

#include <terrace/error.h>

namespace terrace::cli {

// Runs `work` in a copy of this process and waits for its end. Called while this process has one thread only:
// a copy has no others, and would wait forever for their locks. Errors: what `work` failed with, or how its
// process ended.
Outcome<void> in_another_process(const std::function<Outcome<void>()>& work);

}  // namespace terrace::cli
