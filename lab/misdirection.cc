#include "lab/misdirection.h"
namespace terrace::lab {
Findings run_misdirection(const RowOptions&) {
  return {};
}
}  // namespace terrace::lab
