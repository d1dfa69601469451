// The content oracle: the right bytes of a block follow from its key and its writer, so nothing has to be
// remembered. Word i (8 bytes) is an invertible function of key, writer and i: a swapped, shifted, torn,
// stale or mixed value shows in one word, and a wrong word that stands elsewhere by right can be read back
// ("writer 3, word 17").
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include <terrace/key.h>

namespace terrace::lab {

// Counts the writers of one key, from 1. 32 bits travel in each word.
using Writer = uint32_t;
// Marks bytes that were never committed: seeing one is P2 broken.
inline constexpr Writer kPrivate = 0x80000000;

// The word at `position` (index of the word, not of the byte).
uint64_t oracle_word(const Key& key, Writer writer, uint32_t position);

struct WordOrigin {
  Writer writer = 0;
  uint32_t position = 0;
};
// What the word would be if it belonged to `key`.
WordOrigin read_word(const Key& key, uint64_t word);

// Writes the value; the last word may be cut.
void fill(const Key& key, Writer writer, std::span<std::byte> value);

struct Verdict {
  bool right = false;
  Writer writer = 0;        // who wrote the first word; 0 when the value is too short to tell
  uint64_t wrong_word = 0;  // index of the first word that differs from that writer's
  uint64_t found = 0;       // that word
};
// Whether the value is one whole value of one writer of `key`. Values below 8 bytes are compared with `hint`,
// the writer that may have written them, and each one before it down to 1.
Verdict verify(const Key& key, std::span<const std::byte> value, Writer hint = 0);

// "word 12 of 512 is 0x... (writer 3, word 9 of this key)": for the report of a wrong value.
std::string describe(const Key& key, std::span<const std::byte> value, const Verdict& verdict);

}  // namespace terrace::lab
