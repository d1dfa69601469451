#include "wire/key_lists.h"

#include <gtest/gtest.h>

#include "base/checksum.h"

namespace terrace::wire {
namespace {

std::vector<terrace::Key> chain(uint32_t first, size_t count) {
  std::vector<terrace::Key> keys(count);
  for (size_t i = 0; i < count; ++i) {
    const uint64_t number = first * 100'000ull + i;
    std::memcpy(keys[i].bytes.data(), &number, sizeof number);
  }
  return keys;
}

class KeyLists : public ::testing::Test {
 protected:
  // What the server reads of what the client writes; `sent_` keys were in the frame.
  std::vector<terrace::Key> through(std::span<const terrace::Key> keys) {
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(writer_.write(builder, keys));
    const auto* written = flatbuffers::GetRoot<Keys>(builder.GetBufferPointer());
    sent_ = keys_of(written->keys()).size();
    const auto read = reader_.read(written);
    EXPECT_TRUE(read);
    return read ? std::vector<terrace::Key>(read->begin(), read->end()) : std::vector<terrace::Key>{};
  }
  Code refused(uint8_t slot, uint32_t keep, size_t count) {
    flatbuffers::FlatBufferBuilder builder;
    const std::vector<Key> keys(count);
    const uint64_t sum = base::xxh3_64(std::as_bytes(std::span(keys)));
    builder.Finish(CreateKeys(builder, slot, keep, builder.CreateVectorOfStructs(keys), sum));
    const auto read = reader_.read(flatbuffers::GetRoot<Keys>(builder.GetBufferPointer()));
    return read ? Code{} : read.error().code;
  }

  KeyListWriter writer_;
  KeyListReader reader_;
  size_t sent_ = 0;
};

TEST_F(KeyLists, a_growing_prompt_sends_its_new_keys_only) {
  const auto prompt = chain(1, 300);
  EXPECT_EQ(through(std::span(prompt).first(256)), chain(1, 256));
  EXPECT_EQ(sent_, 256u);
  EXPECT_EQ(through(prompt), prompt);
  EXPECT_EQ(sent_, 44u);
  EXPECT_EQ(through(prompt), prompt);
  EXPECT_EQ(sent_, 0u);
}

TEST_F(KeyLists, a_prompt_that_turns_off_sends_what_is_behind_the_fork) {
  auto prompt = chain(1, 100);
  EXPECT_EQ(through(prompt), prompt);
  const auto other = chain(2, 20);
  std::ranges::copy(other, prompt.begin() + 80);
  EXPECT_EQ(through(prompt), prompt);
  EXPECT_EQ(sent_, 20u);
}

TEST_F(KeyLists, many_prompts_in_turn_are_each_read_as_they_were_written) {
  for (uint32_t round = 0; round < 5; ++round) {
    for (uint32_t prompt = 0; prompt < 12; ++prompt) {
      const auto keys = chain(prompt, 9 + round);
      EXPECT_EQ(through(keys), keys) << prompt;
    }
  }
}

TEST_F(KeyLists, what_is_short_or_very_long_is_sent_whole) {
  for (const size_t count : {size_t{0}, size_t{3}, kRememberedKeysMax + 1}) {
    const auto keys = chain(1, count);
    EXPECT_EQ(through(keys), keys);
    EXPECT_EQ(through(keys), keys);
    EXPECT_EQ(sent_, count);
  }
}

TEST_F(KeyLists, a_slot_that_there_is_not_and_keys_it_does_not_have_are_refused) {
  EXPECT_EQ(refused(9, 0, 1), Code::kInvalidArgument);
  EXPECT_EQ(refused(1, 1, 1), Code::kInvalidArgument);
  EXPECT_EQ(refused(1, 0, 8192), Code{});
  EXPECT_EQ(refused(1, 8192, 1), Code::kInvalidArgument);
  EXPECT_EQ(refused(1, UINT32_MAX, 1), Code::kInvalidArgument);
}

TEST_F(KeyLists, ends_that_remember_different_lists_notice) {
  EXPECT_EQ(refused(1, 0, 10), Code{});
  EXPECT_EQ(refused(1, 5, 3), Code::kCorrupt) << "the sum of three keys, not of eight";
}

}  // namespace
}  // namespace terrace::wire
