#include "lab/kit/oracle.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>
#include <terrace/store.h>

#include "base/bytes.h"

namespace terrace::lab {
namespace {

constexpr uint64_t kWord = sizeof(uint64_t);
constexpr uint64_t kFirst = 0xFF51AFD7ED558CCDULL, kSecond = 0xC4CEB9FE1A85EC53ULL;  // MurmurHash3 fmix64
constexpr uint64_t kFirstInverse = 0x4F74430C22A54005ULL, kSecondInverse = 0x9CB4B2F8129337DBULL;
static_assert(kFirst * kFirstInverse == 1 && kSecond * kSecondInverse == 1);

constexpr uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 33)) * kFirst;
  x = (x ^ (x >> 33)) * kSecond;
  return x ^ (x >> 33);
}
constexpr uint64_t unmix(uint64_t x) {  // x ^ (x >> 33) is its own inverse: 33 > 64 / 2
  x = (x ^ (x >> 33)) * kSecondInverse;
  x = (x ^ (x >> 33)) * kFirstInverse;
  return x ^ (x >> 33);
}
static_assert(unmix(mix(0x0123456789ABCDEFULL)) == 0x0123456789ABCDEFULL);

// The words of one writer of one key.
class Words {
 public:
  Words(const Key& key, Writer writer)
      : before_(key.word(0) ^ (static_cast<uint64_t>(writer) << 32)), after_(key.word(2)) {}
  uint64_t at(uint64_t position) const { return mix(before_ ^ position) ^ after_; }

 private:
  uint64_t before_, after_;
};

uint64_t load_word(std::span<const std::byte> value, uint64_t index) {
  uint64_t word = 0;
  const uint64_t offset = index * kWord;
  std::memcpy(&word, value.data() + offset, std::min(kWord, value.size() - offset));
  return word;
}

// Index of the first word that is not the writer's; the count of words when all are.
uint64_t first_difference(const Words& words, std::span<const std::byte> value) {
  const uint64_t whole = value.size() / kWord;
  constexpr uint64_t kStride = 512;
  for (uint64_t start = 0; start < whole; start += kStride) {
    const uint64_t end = std::min(whole, start + kStride);
    uint64_t differs = 0;
    for (uint64_t i = start; i < end; i++) {
      differs |= base::load_le<uint64_t>(value.data() + i * kWord) ^ words.at(i);
    }
    if (differs == 0) continue;
    for (uint64_t i = start; i < end; i++) {
      if (base::load_le<uint64_t>(value.data() + i * kWord) != words.at(i)) return i;
    }
  }
  const uint64_t tail = value.size() % kWord;
  if (tail == 0) return whole;
  const uint64_t expected = words.at(whole);
  return std::memcmp(value.data() + whole * kWord, &expected, tail) == 0 ? whole + 1 : whole;
}

uint64_t word_count(uint64_t bytes) {
  return (bytes + kWord - 1) / kWord;
}

}  // namespace

uint64_t oracle_word(const Key& key, Writer writer, uint32_t position) {
  return Words(key, writer).at(position);
}

WordOrigin read_word(const Key& key, uint64_t word) {
  const uint64_t both = unmix(word ^ key.word(2)) ^ key.word(0);
  return {static_cast<Writer>(both >> 32), static_cast<uint32_t>(both)};
}

void fill(const Key& key, Writer writer, std::span<std::byte> value) {
  const Words words(key, writer);
  const uint64_t whole = value.size() / kWord;
  for (uint64_t i = 0; i < whole; i++) base::store_le(value.data() + i * kWord, words.at(i));
  const uint64_t last = words.at(whole);
  std::memcpy(value.data() + whole * kWord, &last, value.size() % kWord);
}

Verdict verify(const Key& key, std::span<const std::byte> value, Writer hint) {
  if (value.size() < kWord) {
    for (Writer writer = hint; writer > 0; writer--) {
      if (first_difference(Words(key, writer), value) == word_count(value.size()))
        return {true, writer, 0, 0};
    }
    return {false, 0, 0, value.empty() ? 0 : load_word(value, 0)};
  }
  const Writer writer = read_word(key, load_word(value, 0)).writer;
  const uint64_t wrong = first_difference(Words(key, writer), value);
  if (wrong == word_count(value.size())) return {true, writer, 0, 0};
  return {false, writer, wrong, load_word(value, wrong)};
}

std::string describe(const Key& key, std::span<const std::byte> value, const Verdict& verdict) {
  const std::string name = to_hex(key).substr(0, 16);
  if (value.empty()) return fmt::format("key {}: no bytes", name);
  if (verdict.right) return fmt::format("key {}: whole value of writer {}", name, verdict.writer);
  const WordOrigin origin = read_word(key, verdict.found);
  const bool ours = origin.position < kBlockBytesMax / kWord && origin.writer != 0;
  return fmt::format(
      "key {}: word {} of {} is {:#018x}{}, expected writer {}", name, verdict.wrong_word,
      word_count(value.size()), verdict.found,
      ours ? fmt::format(" (word {} of writer {})", origin.position, origin.writer) : " (not of this key)",
      verdict.writer);
}

}  // namespace terrace::lab
