#include "capi/answer.h"

#include <new>
#include <stdexcept>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace terrace::capi {
namespace {

TEST(CApiBorder, what_is_thrown_becomes_a_code_and_a_text) {
  terrace_error error{};
  EXPECT_EQ(answered(&error, []() -> Answer { throw std::bad_alloc(); }), TERRACE_NO_MEMORY);
  EXPECT_EQ(error.code, TERRACE_NO_MEMORY);
  EXPECT_STREQ(error.message, "no memory for this call");
  EXPECT_EQ(answered(&error, []() -> Answer { throw std::logic_error("a defect"); }), TERRACE_INTERNAL);
  EXPECT_STREQ(error.message, "a defect");
  EXPECT_EQ(answered(nullptr, []() -> Answer { throw 7; }), TERRACE_INTERNAL);
  EXPECT_EQ(value_of(-1, []() -> int { throw 7; }), -1);
  quietly([] { throw 7; });
}

TEST(CApiBorder, an_answer_without_an_error_leaves_no_earlier_one) {
  terrace_error error{};
  EXPECT_EQ(answered(&error, []() -> Answer { return failure(Code::kIo, "broken", 5); }), TERRACE_IO);
  EXPECT_EQ(error.sys_errno, 5);
  EXPECT_EQ(answered(&error, []() -> Answer { return {}; }), TERRACE_OK);
  EXPECT_EQ(error.code, TERRACE_OK);
  EXPECT_EQ(error.sys_errno, 0);
  EXPECT_STREQ(error.message, "");
}

TEST(CApiBorder, a_long_text_is_cut_between_characters) {
  constexpr size_t kRoom = sizeof(terrace_error::message) - 1;
  terrace_error error{};
  for (size_t ahead = 0; ahead < 4; ++ahead) {
    std::string text(ahead, 'a');
    while (text.size() <= 2 * kRoom) text += "\u20ac";  // three bytes
    (void)answered(&error, [&]() -> Answer { return failure(Code::kIo, text); });
    const std::string message = error.message;
    EXPECT_EQ(message, text.substr(0, message.size()));
    EXPECT_EQ((message.size() - ahead) % 3, 0u);
    EXPECT_GT(message.size() + 3, kRoom);
    EXPECT_LE(message.size(), kRoom);
  }
  (void)answered(&error, [&]() -> Answer { return failure(Code::kIo, std::string(kRoom, 'a')); });
  EXPECT_EQ(std::string(error.message).size(), kRoom);
}

}  // namespace
}  // namespace terrace::capi
