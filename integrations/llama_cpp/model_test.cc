#include "llama_cpp/model.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "llama_cpp/answer.h"
#include "llama_cpp/test_support.h"

namespace terrace::llama {
namespace {

using test::load;
using test::Scratch;
using testing::HasSubstr;

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(TinyGguf, same_seed_writes_the_same_file) {
  const Scratch one;
  const Scratch two;
  EXPECT_EQ(read(one.tiny()), read(two.tiny()));
  EXPECT_NE(read(one.tiny()), read(two.tiny(TinyKind::kPlain, 2)));
}

TEST(TinyGguf, value_out_of_range_is_named) {
  const Scratch scratch;
  const auto written = write_tiny_gguf(scratch.file("x.gguf"), {.width = 100});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message, "width 100: allowed are multiples of 64 from 64 to 2048");
}

TEST(Model, missing_file_is_named) {
  const auto model = Model::open({.path = "/nowhere/model.gguf"});
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().error.code, Code::kNotFound);
  EXPECT_THAT(model.error().message, HasSubstr("/nowhere/model.gguf"));
}

TEST(Model, file_that_is_no_model_is_refused) {
  const Scratch scratch;
  std::ofstream(scratch.file("text")) << "hello, world";
  const auto text = Model::open({.path = scratch.file("text")});
  ASSERT_FALSE(text);
  EXPECT_THAT(text.error().message, HasSubstr("not a GGUF file"));

  const std::string path = scratch.tiny();
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  const auto truncated = Model::open({.path = path});
  ASSERT_FALSE(truncated);
  EXPECT_THAT(truncated.error().message, HasSubstr("llama.cpp cannot load it"));
}

TEST(Model, prefill_may_be_interrupted_at_a_batch_boundary_without_a_trace) {
  const Scratch scratch;
  const std::string path = scratch.tiny();
  const auto tokens = test::some_tokens(300);
  Model model = load(path);
  (void)test::logits_after(model, std::span(tokens).first(128));
  EXPECT_EQ(test::logits_after(model, tokens, 128), test::computed_logits(path, tokens));
}

TEST(Answer, is_the_same_with_and_without_a_cache) {
  const Scratch scratch;
  Model model = load(scratch.tiny());
  auto store = test::open_store();
  Session session = test::open_session(model, *store);
  const Prompt prompt = [] { return test::some_tokens(500); };
  const Answer computed = test::must(answer(model, nullptr, prompt, 16));
  const Answer cold = test::must(answer(model, &session, prompt, 16));
  const Answer warm = test::must(answer(model, &session, prompt, 16));
  EXPECT_EQ(cold.restored.tokens, 0U);
  EXPECT_EQ(cold.source(), "none");
  EXPECT_EQ(warm.restored.tokens, 448U);
  EXPECT_EQ(warm.source(), "l1");
  EXPECT_EQ(cold.output, computed.output);
  EXPECT_EQ(warm.output, computed.output);
}

TEST(Answer, prompt_beyond_the_context_is_refused_with_both_sizes) {
  const Scratch scratch;
  Model model = load(scratch.tiny());
  const auto refused = answer(model, nullptr, [] { return test::some_tokens(1020); }, 16);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error.code, Code::kLimitExceeded);
  EXPECT_THAT(refused.error().message, HasSubstr("1020"));
  EXPECT_THAT(refused.error().message, HasSubstr("1024"));
}

}  // namespace
}  // namespace terrace::llama
