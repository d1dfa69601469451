// A child that says what it found in a file, and the parent that takes it.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "lab/kit/child_process.h"
#include "lab/kit/report.h"

namespace terrace::lab {

// The child's last act; its exit code.
int tell(const std::string& file, const Findings& findings);
// The parent's: waits, reports how it ended if that was not in order, and takes what it told. One that
// `may_be_killed` ends itself so.
Findings heard_from(ChildProcess& child, const std::string& file, std::chrono::milliseconds limit,
                    const std::string& who, bool may_be_killed = false);
// True in a build whose memory and threads are not those of the product.
bool is_sanitized();

}  // namespace terrace::lab
