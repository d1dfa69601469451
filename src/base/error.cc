#include <terrace/error.h>

#include <system_error>

namespace terrace {

std::string_view to_string(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
      return "invalid_argument";
    case Code::kLimitExceeded:
      return "limit_exceeded";
    case Code::kNoArena:
      return "no_arena";
    case Code::kBusy:
      return "busy";
    case Code::kClosed:
      return "closed";
    case Code::kDeadline:
      return "deadline";
    case Code::kCancelled:
      return "cancelled";
    case Code::kIo:
      return "io";
    case Code::kNoSpace:
      return "no_space";
    case Code::kCorrupt:
      return "corrupt";
    case Code::kIncompatible:
      return "incompatible";
    case Code::kForeign:
      return "foreign";
    case Code::kInUse:
      return "in_use";
    case Code::kPermission:
      return "permission";
    case Code::kNotFound:
      return "not_found";
    case Code::kUnsupported:
      return "unsupported";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kNoMemory:
      return "no_memory";
    case Code::kNoRoom:
      return "no_room";
    case Code::kInternal:
      return "internal";
  }
  return "unknown";  // a number from a newer library, through the C ABI
}

std::string to_string(const Error& error) {
  std::string text(*error.what != '\0' ? std::string_view(error.what) : to_string(error.code));
  if (error.sys_errno != 0) {
    text += ": ";
    text += std::generic_category().message(error.sys_errno);
  }
  return text;
}

}  // namespace terrace
