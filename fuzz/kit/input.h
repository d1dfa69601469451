// Takes a byte string apart from its front. Beyond its end everything is zero, so every string means
// something.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace terrace::fuzz {

class Input {
 public:
  explicit Input(std::span<const std::byte> bytes) : rest_(bytes) {}

  bool empty() const { return rest_.empty(); }
  // Little-endian, of `bytes` bytes.
  uint64_t number(size_t bytes) {
    uint64_t value = 0;
    const auto taken = take(bytes);
    for (size_t i = 0; i < taken.size(); ++i) value |= static_cast<uint64_t>(taken[i]) << (8 * i);
    return value;
  }
  uint8_t byte() { return static_cast<uint8_t>(number(1)); }
  // Below `bound`, which is at most 256.
  uint32_t below(uint32_t bound) { return byte() % bound; }
  bool one_in(uint32_t n) { return below(n) == n - 1; }
  // As many as are left.
  std::span<const std::byte> take(size_t bytes) {
    const auto taken = rest_.first(std::min(bytes, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  std::span<const std::byte> rest() const { return rest_; }

 private:
  std::span<const std::byte> rest_;
};

inline std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace terrace::fuzz
