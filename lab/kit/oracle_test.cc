#include "lab/kit/oracle.h"

#include <cstring>
#include <vector>

#include <gtest/gtest.h>

namespace terrace::lab {
namespace {

Key key_of(uint8_t number) {
  Key key;
  for (size_t i = 0; i < key.bytes.size(); i++) key.bytes[i] = static_cast<uint8_t>(number * 37 + i * 11);
  return key;
}

std::vector<std::byte> value_of(const Key& key, Writer writer, size_t bytes) {
  std::vector<std::byte> value(bytes);
  fill(key, writer, value);
  return value;
}

TEST(Oracle, whole_value_of_any_writer_is_right) {
  for (size_t bytes : {8u, 9u, 15u, 16u, 4095u, 4096u, 4097u, 100'003u}) {
    const Verdict verdict = verify(key_of(1), value_of(key_of(1), 7, bytes));
    EXPECT_TRUE(verdict.right) << bytes;
    EXPECT_EQ(7u, verdict.writer);
  }
}

TEST(Oracle, value_below_a_word_is_compared_with_the_known_writers) {
  for (size_t bytes = 1; bytes < 8; bytes++) {
    const auto value = value_of(key_of(1), 3, bytes);
    EXPECT_TRUE(verify(key_of(1), value, 3).right);
    EXPECT_TRUE(verify(key_of(1), value, 5).right);
    EXPECT_FALSE(verify(key_of(1), value, 0).right);
  }
  EXPECT_FALSE(verify(key_of(2), value_of(key_of(1), 1, 7), 1).right);
}

TEST(Oracle, every_flipped_bit_is_seen) {
  auto value = value_of(key_of(1), 1, 203);
  for (size_t bit = 0; bit < value.size() * 8; bit++) {
    value[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(verify(key_of(1), value).right) << bit;
    value[bit / 8] ^= std::byte{1} << (bit % 8);
  }
}

TEST(Oracle, value_of_another_key_is_wrong_at_its_first_word) {
  const Verdict verdict = verify(key_of(2), value_of(key_of(1), 1, 512));
  EXPECT_FALSE(verdict.right);
  EXPECT_EQ(0u, verdict.wrong_word);
}

TEST(Oracle, shifted_swapped_and_mixed_words_are_named) {
  const auto value = value_of(key_of(1), 2, 8192);
  auto shifted = value;
  std::memmove(shifted.data() + 4096, value.data() + 4088, 4096);
  Verdict verdict = verify(key_of(1), shifted);
  EXPECT_EQ(512u, verdict.wrong_word);
  EXPECT_EQ(511u, read_word(key_of(1), verdict.found).position);

  auto mixed = value;
  const auto other = value_of(key_of(1), 3, 8192);
  std::memcpy(mixed.data() + 4096, other.data() + 4096, 4096);
  verdict = verify(key_of(1), mixed);
  EXPECT_EQ(512u, verdict.wrong_word);
  EXPECT_EQ(3u, read_word(key_of(1), verdict.found).writer);
  EXPECT_NE(std::string::npos, describe(key_of(1), mixed, verdict).find("word 512 of writer 3"));
}

TEST(Oracle, torn_value_is_wrong_where_it_tears) {
  auto value = value_of(key_of(1), 2, 65536);
  std::memset(value.data() + 3 * 512, 0, value.size() - 3 * 512);
  EXPECT_EQ(192u, verify(key_of(1), value).wrong_word);
}

}  // namespace
}  // namespace terrace::lab
