#include "cli/exit_code.h"

namespace terrace::cli {

ExitCode exit_code_of(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
    case Code::kLimitExceeded:
    case Code::kIncompatible:
    case Code::kForeign:
    case Code::kPermission:
    case Code::kNotFound:
      return ExitCode::kUsage;
    case Code::kCorrupt:
      return ExitCode::kDamage;
    default:
      return ExitCode::kFailed;
  }
}

}  // namespace terrace::cli
