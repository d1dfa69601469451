#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

namespace terrace::base {

void assert_failed(const char* expression, const char* file, int line) {
  fmt::print(stderr, "terrace: defect, please report it: {}:{}: assertion failed: {}\n", file, line,
             expression);
  std::fflush(stderr);
  std::abort();
}

}  // namespace terrace::base
