// What C cannot promise about arguments is looked at before anything is done with them. Texts name the
// argument, its value and what is allowed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include <terrace/key.h>

#include "capi/answer.h"

namespace terrace::capi {

// The first thing that is wrong counts.
class Check {
 public:
  Check& given(const void* pointer, std::string_view name);
  // NULL only when it is empty.
  Check& list(const void* first, size_t count, std::string_view name);
  // A list of at most TERRACE_BATCH_MAX.
  Check& batch(const void* first, size_t count, std::string_view name);
  Check& timeout(int64_t timeout_ns);
  Check& timeout_or_stores(int64_t timeout_ns);  // also TERRACE_TIMEOUT_STORE
  // A number of an enumeration, 0 to `most`.
  Check& choice(uint64_t value, uint64_t most, std::string_view name);
  operator Answer() const;

 private:
  void refuse(Code code, std::string message);
  std::optional<Failure> first_;
};

std::unexpected<Failure> size_refused(std::string_view name, size_t given, size_t known);
std::unexpected<Failure> unknown_fields(std::string_view name, size_t given, size_t known);

// What a struct had when it first appeared: programs compiled then are served. One that has grown says so
// here.
template <class Struct>
inline constexpr size_t kFirstBytes = sizeof(Struct);

// As much of a struct that may grow as both sides know, and zero behind it; all zero for NULL. What a newer
// program has set beyond that is refused, not passed over.
template <class Struct>
Outcome<Struct> read_sized(const Struct* given, std::string_view name) {
  constexpr size_t kMost = 4096;  // what is larger was never set
  Struct known{};
  if (given == nullptr) return known;
  const size_t size = given->size;
  if (size < kFirstBytes<Struct> || size > kMost) return size_refused(name, size, sizeof known);
  const auto* const bytes = reinterpret_cast<const unsigned char*>(given);
  for (size_t i = sizeof known; i < size; ++i) {
    if (bytes[i] != 0) return unknown_fields(name, size, sizeof known);
  }
  std::memcpy(&known, bytes, std::min(size, sizeof known));
  return known;
}

// Both are 32 bytes, which may be looked at as any type.
static_assert(sizeof(terrace_key) == sizeof(Key) && alignof(terrace_key) == alignof(Key));

inline const Key& key_of(const terrace_key& key) {
  return reinterpret_cast<const Key&>(key);
}
inline std::span<const Key> keys_of(const terrace_key* keys, size_t count) {
  return {reinterpret_cast<const Key*>(keys), count};
}
inline void write_key(terrace_key* to, const Key& key) {
  std::memcpy(to->bytes, key.bytes.data(), key.bytes.size());
}

}  // namespace terrace::capi
