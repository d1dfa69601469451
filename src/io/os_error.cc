#include "io/os_error.h"

#include <cerrno>

namespace terrace::io {

Code code_of_errno(int sys_errno) {
  switch (sys_errno) {
    case ENOSPC:
    case EDQUOT:
      return Code::kNoSpace;
    case EACCES:
    case EPERM:
    case EROFS:
      return Code::kPermission;
    case ENOENT:
      return Code::kNotFound;
    case EEXIST:
    case EBUSY:
    case ETXTBSY:
      return Code::kInUse;
    case EISDIR:  // something else stands where one of our files belongs
    case ENOTDIR:
    case ELOOP:
      return Code::kForeign;
    case ENOMEM:
      return Code::kNoMemory;
    case EMFILE:
    case ENFILE:
    case EFBIG:
      return Code::kLimitExceeded;
    case EINVAL:
    case ENAMETOOLONG:
      return Code::kInvalidArgument;
    case EOPNOTSUPP:
    case ENOSYS:
      return Code::kUnsupported;
    default:
      return Code::kIo;
  }
}

}  // namespace terrace::io
