#include "fuzz/targets/api_shadow.h"

#include <cstring>

#include "base/assert.h"
#include "base/random.h"
#include "lab/kit/oracle.h"

namespace terrace::fuzz {

Shadow::Shadow() : state_(kKeys) {}

Key Shadow::key(uint32_t number) {
  if (number == kKeys) return {};
  Key key;
  key.bytes.fill(0xFF);
  uint64_t state = number;
  for (int i = 0; number < kKeys && i < 4; ++i) {
    const uint64_t word = base::split_mix(state);
    std::memcpy(key.bytes.data() + 8 * i, &word, sizeof word);
  }
  if (number > kKeys) key.bytes[0] = static_cast<uint8_t>(number);
  return key;
}

uint32_t Shadow::number_of(const Key& key) {
  for (uint32_t number = 0; number < kKeys; ++number) {
    if (Shadow::key(number) == key) return number;
  }
  return kKeys;
}

void Shadow::write(const Key& key, std::span<std::byte> bytes) {
  const uint32_t number = number_of(key);
  if (number == kKeys) return;
  const lab::Writer writer = state_.begin_write(number);
  sizes_[{number, writer}] = bytes.size();
  lab::fill(key, writer, bytes);
}

void Shadow::begin_remove(const Key& key) {
  const uint32_t number = number_of(key);
  if (number != kKeys) state_.begin_remove(number);
}

void Shadow::end_remove(const Key& key) {
  const uint32_t number = number_of(key);
  if (number != kKeys) state_.end_remove(number);
}

Shadow::Moment Shadow::moment(std::span<const Key> keys) const {
  Moment moment;
  for (const Key& key : keys) {
    const uint32_t number = number_of(key);
    moment.push_back(number == kKeys ? lab::KeyState{} : state_.of(number));
  }
  return moment;
}

void Shadow::check(const Key& key, const lab::KeyState& before, std::span<const std::byte> bytes) const {
  const uint32_t number = number_of(key);
  if (number == kKeys) return;
  const lab::KeyState now = state_.of(number);
  const lab::Verdict verdict = lab::verify(key, bytes, now.begun);
  TERRACE_ASSERT(verdict.right);
  TERRACE_ASSERT((lab::KeyState{.begun = now.begun, .removed = before.removed}.allows(verdict.writer)));
  // Short values fit several writers.
  const auto size = sizes_.find({number, verdict.writer});
  TERRACE_ASSERT(bytes.size() < 8 || (size != sizes_.end() && size->second == bytes.size()));
}

}  // namespace terrace::fuzz
