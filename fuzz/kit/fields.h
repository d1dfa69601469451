// Mutations that know where a format's fields are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/random.h"

namespace terrace::fuzz {

struct Field {
  size_t offset = 0;
  size_t bytes = 0;  // 1 to 8 are a number
};

// Gives one of the fields a value at a limit, or another field's; those beyond the end stay as they are.
void change_a_field(std::span<std::byte> bytes, std::span<const Field> fields, base::Random& random);

}  // namespace terrace::fuzz
