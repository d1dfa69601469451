#include "capi/answer.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <iterator>
#include <new>
#include <string_view>

namespace terrace::capi {

namespace {

// As much of the text as there is room for, without half a character of UTF-8 at its end.
size_t fitting(std::string_view text, size_t room) {
  if (text.size() <= room) return text.size();
  while (room > 0 && (static_cast<unsigned char>(text[room]) & 0xC0u) == 0x80u) --room;
  return room;
}

terrace_code written(terrace_error* error, Code code, std::string_view message, int sys_errno) noexcept {
  const auto number = static_cast<terrace_code>(code);
  if (error == nullptr) return number;
  const size_t bytes = fitting(message, std::size(error->message) - 1);
  std::copy_n(message.data(), bytes, static_cast<char*>(error->message));
  error->message[bytes] = '\0';
  error->code = number;
  error->sys_errno = sys_errno;
  return number;
}

}  // namespace

terrace_code noted(terrace_error* error, const Answer& answer) noexcept {
  if (!answer) {
    const Failure& why = answer.error();
    return written(error, why.error.code, why.message, why.error.sys_errno);
  }
  if (error != nullptr) {
    error->code = TERRACE_OK;
    error->sys_errno = 0;
    error->message[0] = '\0';
  }
  return TERRACE_OK;
}

terrace_code noted_caught(terrace_error* error) noexcept {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return written(error, Code::kNoMemory, "no memory for this call", 0);
  } catch (const std::exception& thrown) {
    return written(error, Code::kInternal, thrown.what(), 0);
  } catch (...) {
    return written(error, Code::kInternal, "something unknown was thrown", 0);
  }
}

}  // namespace terrace::capi
