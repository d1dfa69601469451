#include "fuzz/kit/fields.h"

#include <algorithm>
#include <cstring>

namespace terrace::fuzz {
namespace {

uint64_t limit_near(uint64_t value, base::Random& random) {
  switch (random.below(8)) {
    case 0:
      return 0;
    case 1:
      return UINT64_MAX;
    case 2:
      return value + 1;
    case 3:
      return value - 1;
    case 4:
      return uint64_t{1} << random.below(64);
    case 5:
      return (uint64_t{1} << random.below(64)) - 1;
    case 6:
      return value ^ (uint64_t{1} << random.below(64));
    default:
      return random.below(10'000);
  }
}

}  // namespace

void change_a_field(std::span<std::byte> bytes, std::span<const Field> fields, base::Random& random) {
  const Field field = fields[random.below(fields.size())];
  if (field.offset + field.bytes > bytes.size()) return;
  std::byte* const at = bytes.data() + field.offset;
  if (field.bytes > sizeof(uint64_t)) {
    at[random.below(field.bytes)] ^= static_cast<std::byte>(1u << random.below(8));
    return;
  }
  uint64_t value = 0;
  std::memcpy(&value, at, field.bytes);
  value = limit_near(value, random);
  std::memcpy(at, &value, field.bytes);
}

}  // namespace terrace::fuzz
