// A fuzz target: one decoder of bytes from outside, or the store itself, as a function of a byte string. It
// takes any bytes; what it must never do ends the process (TERRACE_ASSERT, a sanitizer's report).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace terrace::fuzz {

using Bytes = std::vector<std::byte>;

struct Seed {
  std::string name;
  Bytes bytes;
};

enum class Kind : uint8_t {
  kDecoder,  // pure and fast
  kStore,    // a whole store on the simulated machine: some hundreds a second
};

struct Target {
  std::string_view name;  // also of its corpus folder and its dictionary
  Kind kind = Kind::kDecoder;
  void (*run)(std::span<const std::byte> input) = nullptr;
  // After a mutation: sets fields to values at limits now and then, and makes the sums right again, so that
  // mutants reach what is checked behind a sum. Null for texts.
  void (*mend)(std::span<std::byte> input, base::Random& random) = nullptr;
  // What its corpus begins with where a person cannot write it; null for texts.
  std::vector<Seed> (*seeds)() = nullptr;
};

// Makes a target known: one static object in the target's file.
class Registered {
 public:
  explicit Registered(const Target& target);
};

std::span<const Target> targets();
const Target* find_target(std::string_view name);

}  // namespace terrace::fuzz
