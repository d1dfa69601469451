// The lists of keys that a session remembers (Keys in terrace.fbs), so that a growing prompt sends its new
// keys only. Both ends keep the same lists: the client says in each frame what the server's become.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <terrace/error.h>
#include <terrace/key.h>

#include "wire/frame.h"

namespace terrace::wire {

inline constexpr size_t kKeySlots = 8;
inline constexpr size_t kRememberedKeysMax = 8192;  // of one list

// The server's end. Not thread-safe.
class KeyListReader {
 public:
  // The whole list; valid until the next call, and while the message lives. Errors: kInvalidArgument for a
  // slot that there is not, more kept keys than it has, or a list too long to be remembered; kCorrupt when
  // the ends remember different lists: the session must end.
  Result<std::span<const terrace::Key>> read(const Keys* keys);

 private:
  std::array<std::vector<terrace::Key>, kKeySlots> lists_;
};

// The client's end: chooses the slot whose list has most in common. Not thread-safe.
class KeyListWriter {
 public:
  flatbuffers::Offset<Keys> write(flatbuffers::FlatBufferBuilder& builder,
                                  std::span<const terrace::Key> keys);

 private:
  struct List {
    std::vector<terrace::Key> keys;
    uint64_t used = 0;
  };
  std::array<List, kKeySlots> lists_;
  uint64_t uses_ = 0;
};

}  // namespace terrace::wire
