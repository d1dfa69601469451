// Errors of Terrace. A miss is not an error: lookups and retrieves return values that say what was found.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <type_traits>

namespace terrace {

// What went wrong, each with what the caller should do. The list is closed; numbers are stable (C ABI).
enum class Code : uint8_t {
  kInvalidArgument = 1,  // fix the call: a value is outside what is allowed
  kLimitExceeded = 2,    // ask for less: a documented limit (block, batch, region) was passed
  kNoArena = 3,          // use put from caller memory: this L1 mode has no arena
  kBusy = 4,             // try again when running operations on this object have ended
  kClosed = 5,           // the object was closed; open a new one
  kDeadline = 6,         // the deadline passed; late work was given up
  kCancelled = 7,        // the caller cancelled it
  kIo = 8,               // the device failed; see sys_errno
  kNoSpace = 9,          // the device is full; free space or lower the capacity
  kCorrupt = 10,         // stored bytes failed verification; treated as a miss
  kIncompatible = 11,    // written by another version; use that version or another directory
  kForeign = 12,         // the directory holds something that is not Terrace's; choose another
  kInUse = 13,           // another process holds it
  kPermission = 14,      // the operating system refuses access
  kNotFound = 15,        // no such file, path or object
  kUnsupported = 16,     // this machine or tier cannot do it
  kUnavailable = 17,     // the tier's breaker is open; try later
  kNoMemory = 18,        // the memory asked for cannot be had
  kNoRoom = 19,          // everything that could make room is pinned or reserved
  kInternal = 20,        // a defect in Terrace; please report it
};

std::string_view to_string(Code code);

// Small and trivially copyable; `what` points to a text that lives as long as the process.
struct Error {
  Code code = Code::kInternal;
  int sys_errno = 0;
  const char* what = "";

  friend bool operator==(const Error& a, const Error& b) { return a.code == b.code; }
};
static_assert(std::is_trivially_copyable_v<Error>);

// "what: errno text", for logs and messages.
std::string to_string(const Error& error);

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Code code, const char* what, int sys_errno = 0) {
  return std::unexpected(Error{code, sys_errno, what});
}

// An error of a cold path (open, configuration, command line): `message` names the value and what is allowed.
struct Failure {
  Error error;
  std::string message;
};

template <class T>
using Outcome = std::expected<T, Failure>;

inline std::unexpected<Failure> failure(Code code, std::string message, int sys_errno = 0) {
  return std::unexpected(Failure{Error{code, sys_errno, "see message"}, std::move(message)});
}

}  // namespace terrace
