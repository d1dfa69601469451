// errno of the operating system as Terrace's closed codes.
#pragma once

#include <terrace/error.h>

namespace terrace::io {

Code code_of_errno(int sys_errno);

inline std::unexpected<Error> os_error(int sys_errno, const char* what) {
  return fail(code_of_errno(sys_errno), what, sys_errno);
}

}  // namespace terrace::io
