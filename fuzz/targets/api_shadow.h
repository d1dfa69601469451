// What the calls of one run have told the store, and which bytes it may answer with.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include <terrace/key.h>
#include <terrace/store.h>

#include "lab/kit/expected_state.h"

namespace terrace::fuzz {

class Shadow {
 public:
  static constexpr uint32_t kKeys = 10;

  Shadow();

  // Keys from kKeys on are never stored with bytes that are known: nothing is said of theirs.
  static Key key(uint32_t number);
  static uint32_t number_of(const Key& key);

  // The bytes are to become the key's: fills them.
  void write(const Key& key, std::span<std::byte> bytes);
  void begin_remove(const Key& key);
  void end_remove(const Key& key);

  // Taken when a question is asked: what was gone by then may not come back.
  using Moment = std::vector<lab::KeyState>;
  Moment moment(std::span<const Key> keys) const;
  // Asserts that the store may answer with these bytes.
  void check(const Key& key, const lab::KeyState& before, std::span<const std::byte> bytes) const;

 private:
  lab::ExpectedState state_;
  std::map<std::pair<uint32_t, lab::Writer>, uint64_t> sizes_;
};

}  // namespace terrace::fuzz
