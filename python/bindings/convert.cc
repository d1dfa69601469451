#include "bindings/convert.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "bindings/errors.h"
#include "bindings/memory.h"

namespace terrace::python {

namespace {

// A mismatch is told with the position, as lists of keys are long.
Key read_key(nb::handle object, const std::string& what) {
  const HeldBuffer held(object, false);
  Key key;
  if (held.bytes().size() != key.bytes.size())
    raise_invalid(fmt::format("{} has {} bytes: a key has 32", what, held.bytes().size()));
  std::memcpy(key.bytes.data(), held.bytes().data(), key.bytes.size());
  return key;
}

Timeout nanoseconds(double seconds) {
  constexpr double kLongest = 24.0 * 3600 * 365;
  if (!(seconds >= 0)) raise_invalid(fmt::format("timeout is {}: seconds from 0 are allowed", seconds));
  return Timeout(static_cast<int64_t>(std::ceil(std::min(seconds, kLongest) * 1e9)));
}

}  // namespace

Key key_of(nb::handle bytes) {
  return read_key(bytes, "the key");
}

std::vector<Key> keys_of(nb::handle keys) {
  if (nb::isinstance<Keys>(keys)) return nb::cast<const Keys&>(keys).keys;
  if (PyObject_CheckBuffer(keys.ptr()) != 0)
    raise_invalid("keys are terrace.Keys or a sequence of keys, not one buffer: see Keys.from_bytes");
  std::vector<Key> read;
  for (const nb::handle key : keys) read.push_back(read_key(key, fmt::format("keys[{}]", read.size())));
  return read;
}

nb::bytes bytes_of(const Key& key) {
  return nb::bytes(key.bytes.data(), key.bytes.size());
}

Timeout timeout_of(std::optional<double> seconds) {
  return seconds ? nanoseconds(*seconds) : kDefaultTimeout;
}

Timeout wait_of(std::optional<double> seconds) {
  return nanoseconds(seconds.value_or(HUGE_VAL));
}

std::vector<uint64_t> numbers_of(nb::handle numbers, const char* what) {
  std::vector<uint64_t> read;
  const auto take = [&](int64_t number) {
    if (number < 0)
      raise_invalid(fmt::format("{}[{}] is {}: 0 and more are allowed", what, read.size(), number));
    read.push_back(static_cast<uint64_t>(number));
  };
  if (PyObject_CheckBuffer(numbers.ptr()) != 0) {
    Py_buffer view{};
    if (PyObject_GetBuffer(numbers.ptr(), &view, PyBUF_FORMAT | PyBUF_ND) != 0) throw nb::python_error();
    const std::string format = view.format == nullptr ? "B" : view.format;
    const bool right = view.itemsize == sizeof(int64_t) && (format == "l" || format == "q");
    const auto count = static_cast<size_t>(view.len) / sizeof(int64_t);
    std::vector<int64_t> values(right ? count : 0);
    if (right) std::memcpy(values.data(), view.buf, count * sizeof(int64_t));
    PyBuffer_Release(&view);
    if (!right) raise_invalid(fmt::format("{} is a buffer of '{}': int64 is allowed", what, format));
    read.reserve(count);
    for (const int64_t number : values) take(number);
    return read;
  }
  for (const nb::handle number : numbers) take(nb::cast<int64_t>(number));
  return read;
}

std::vector<uint64_t> sizes_of(nb::handle bytes, size_t count) {
  if (PyLong_Check(bytes.ptr()) != 0) {
    const auto size = nb::cast<int64_t>(bytes);
    if (size < 0) raise_invalid(fmt::format("bytes is {}: 1 and more are allowed", size));
    return std::vector<uint64_t>(count, static_cast<uint64_t>(size));
  }
  auto sizes = numbers_of(bytes, "bytes");
  if (sizes.size() != count)
    raise_invalid(fmt::format("{} sizes for {} keys: one for each, or one for all", sizes.size(), count));
  return sizes;
}

}  // namespace terrace::python
