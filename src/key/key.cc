#include <terrace/key.h>

#include <fmt/format.h>

#include "base/bytes.h"

namespace terrace {
namespace {

constexpr size_t kHexDigits = 2 * sizeof(Key::bytes);

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string to_hex(const Key& key) {
  return base::to_hex(key.bytes);
}

Outcome<Key> key_from_hex(std::string_view hex) {
  if (hex.size() != kHexDigits)
    return failure(
        Code::kInvalidArgument,
        fmt::format("a key has {} hexadecimal digits, this text has {} characters", kHexDigits, hex.size()));
  Key key;
  for (size_t i = 0; i < key.bytes.size(); ++i) {
    const int high = digit_value(hex[2 * i]);
    const int low = digit_value(hex[2 * i + 1]);
    if (high < 0 || low < 0)
      return failure(
          Code::kInvalidArgument,
          fmt::format("a key has {} hexadecimal digits, this text of {} characters has another character "
                      "at position {}",
                      kHexDigits, hex.size(), high < 0 ? 2 * i : 2 * i + 1));
    key.bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return key;
}

}  // namespace terrace
