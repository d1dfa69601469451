// What the program's exit code says, and the one place where errors become exit codes.
#pragma once

#include <terrace/error.h>

namespace terrace::cli {

enum class ExitCode : int {
  kOk = 0,
  kFailed = 1,  // the machine or another process stands in the way; the command was right
  kUsage = 2,   // the command or what it names must be changed
  kMiss = 3,    // not everything asked for is in the store
  kDamage = 4,  // scrub found damage
};

ExitCode exit_code_of(Code code);

}  // namespace terrace::cli
