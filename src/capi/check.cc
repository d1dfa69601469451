#include "capi/check.h"

#include <fmt/format.h>

namespace terrace::capi {

void Check::refuse(Code code, std::string message) {
  if (!first_) first_ = Failure{Error{code, 0, "see message"}, std::move(message)};
}

Check& Check::given(const void* pointer, std::string_view name) {
  if (pointer == nullptr) refuse(Code::kInvalidArgument, fmt::format("{} is NULL: it has to be given", name));
  return *this;
}

Check& Check::list(const void* first, size_t count, std::string_view name) {
  if (first == nullptr && count > 0) {
    refuse(Code::kInvalidArgument, fmt::format("{} is NULL, and {} of them are named", name, count));
  }
  return *this;
}

Check& Check::batch(const void* first, size_t count, std::string_view name) {
  if (count > TERRACE_BATCH_MAX) {
    refuse(Code::kLimitExceeded,
           fmt::format("{} {}: a call takes at most {}", count, name, TERRACE_BATCH_MAX));
  }
  return list(first, count, name);
}

Check& Check::timeout(int64_t timeout_ns) {
  if (timeout_ns < 0) {
    refuse(Code::kInvalidArgument, fmt::format("timeout_ns is {}: 0 and more are allowed", timeout_ns));
  }
  return *this;
}

Check& Check::timeout_or_stores(int64_t timeout_ns) {
  if (timeout_ns < 0 && timeout_ns != TERRACE_TIMEOUT_STORE) {
    refuse(Code::kInvalidArgument,
           fmt::format("timeout_ns is {}: 0 and more are allowed, and {} (TERRACE_TIMEOUT_STORE)", timeout_ns,
                       TERRACE_TIMEOUT_STORE));
  }
  return *this;
}

Check& Check::choice(uint64_t value, uint64_t most, std::string_view name) {
  if (value > most) {
    refuse(Code::kInvalidArgument, most == 0
                                       ? fmt::format("{} is {}: it has to be 0", name, value)
                                       : fmt::format("{} is {}: 0 to {} are allowed", name, value, most));
  }
  return *this;
}

Check::operator Answer() const {
  if (first_) return std::unexpected(*first_);
  return {};
}

std::unexpected<Failure> size_refused(std::string_view name, size_t given, size_t known) {
  return failure(Code::kInvalidArgument,
                 fmt::format("{}.size is {}: set it to sizeof, which is {} here", name, given, known));
}

std::unexpected<Failure> unknown_fields(std::string_view name, size_t given, size_t known) {
  return failure(Code::kUnsupported,
                 fmt::format("{} has {} bytes, of which this library knows {}: the others have to be 0", name,
                             given, known));
}

}  // namespace terrace::capi
