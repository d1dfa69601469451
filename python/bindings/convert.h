// Python's values as the store's, and back. With the GIL.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nanobind/nanobind.h>

#include <terrace/store.h>

namespace terrace::python {

namespace nb = nanobind;

// Keys in order: what requests take and key functions return. Immutable.
struct Keys {
  std::vector<Key> keys;
};

// A terrace.Keys, or a sequence of 32 bytes each. Raises terrace.Error naming the first that is neither.
std::vector<Key> keys_of(nb::handle keys);
Key key_of(nb::handle bytes);
nb::bytes bytes_of(const Key& key);

// Seconds; None is kDefaultTimeout. Raises terrace.Error for what is negative or not a number.
Timeout timeout_of(std::optional<double> seconds);
// None: until it is done.
Timeout wait_of(std::optional<double> seconds);

// From a sequence, or from a buffer of int64 (numpy, torch): `what` is for the error.
std::vector<uint64_t> numbers_of(nb::handle numbers, const char* what);
// One number for each of `count`, or the same for all.
std::vector<uint64_t> sizes_of(nb::handle bytes, size_t count);

template <class T>
std::vector<T> copy_of(std::span<const T> values) {
  return {values.begin(), values.end()};
}

}  // namespace terrace::python
