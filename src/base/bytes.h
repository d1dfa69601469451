// Integers to and from little-endian bytes, page rounding, sizes with units, hexadecimal.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include <terrace/error.h>

namespace terrace::base {

static_assert(std::endian::native == std::endian::little,
              "Terrace's formats are little-endian, as its hosts");

inline constexpr uint64_t kPage = 4096;
inline constexpr uint64_t kKiB = 1024, kMiB = 1024 * kKiB, kGiB = 1024 * kMiB;

constexpr uint64_t round_up(uint64_t value, uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}
constexpr uint64_t round_down(uint64_t value, uint64_t unit) {
  return value / unit * unit;
}

template <class T>
  requires std::is_trivially_copyable_v<T>
void store_le(void* to, const T& value) {
  std::memcpy(to, &value, sizeof value);
}
template <class T>
  requires std::is_trivially_copyable_v<T>
T load_le(const void* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

std::string to_hex(std::span<const uint8_t> bytes);

// "8GiB", "512 MiB", "64k", "1.5GB", "4096": K/M/G/T are powers of 1000 with "B", of 1024 with "iB" or alone.
// The error names the text and the units allowed.
Outcome<uint64_t> parse_size(std::string_view text);
// "1.5 GiB": for people.
std::string format_size(uint64_t bytes);

}  // namespace terrace::base
