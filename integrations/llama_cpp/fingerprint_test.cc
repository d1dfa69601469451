#include "llama_cpp/fingerprint.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "llama_cpp/test_support.h"

namespace terrace::llama {
namespace {

using test::load;
using test::Scratch;
using testing::HasSubstr;
using testing::StartsWith;

FingerprintOptions options_for(const Model& model) {
  return {.model_path = model.path(), .block_tokens = 64, .adapter = {}, .tenant_salt = {}};
}

// K1
TEST(Fingerprint, names_everything_that_makes_a_state_incompatible) {
  const Scratch scratch;
  Model model = load(scratch.tiny());
  const Namespace fields = test::must(describe(model.context(), model.params(), options_for(model)));
  EXPECT_EQ(fields.model_id, "tiny-llama");
  EXPECT_THAT(*fields.model_fingerprint, StartsWith("gguf-sha256:"));
  EXPECT_EQ(fields.model_fingerprint->size(), sizeof "gguf-sha256:" - 1 + 64);
  EXPECT_EQ(fields.kv_dtype, "k=f16,v=f16");
  EXPECT_THAT(*fields.layout_id, HasSubstr("unified=1;flash=0"));
  EXPECT_EQ(fields.block_tokens, 64U);
  EXPECT_THAT(*fields.producer, HasSubstr(llama_version()));
  EXPECT_FALSE(fields.adapter);
}

TEST(Fingerprint, follows_the_content_of_the_file_not_its_name) {
  const Scratch scratch;
  Model model = load(scratch.tiny());
  const std::string renamed = scratch.file("renamed.gguf");
  std::filesystem::copy(model.path(), renamed);
  Model same = load(renamed);
  Model other = load(scratch.tiny(TinyKind::kPlain, 2));
  const auto fingerprint = [](Model& of) {
    return *test::must(describe(of.context(), of.params(), options_for(of))).model_fingerprint;
  };
  EXPECT_EQ(fingerprint(model), fingerprint(same));
  EXPECT_NE(fingerprint(model), fingerprint(other));
}

TEST(Fingerprint, changed_rope_is_another_namespace) {
  const Scratch scratch;
  Model model = load(scratch.tiny());
  llama_context_params turned = model.params();
  turned.rope_freq_base = 500000.0F;
  EXPECT_NE(test::must(describe(model.context(), turned, options_for(model))).layout_id,
            test::must(describe(model.context(), model.params(), options_for(model))).layout_id);
}

TEST(Fingerprint, automatic_flash_attention_is_refused) {
  const Scratch scratch;
  Model model = load(scratch.tiny());
  llama_context_params params = model.params();
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_AUTO;
  const auto fields = describe(model.context(), params, options_for(model));
  ASSERT_FALSE(fields);
  EXPECT_EQ(fields.error().error.code, Code::kUnsupported);
  EXPECT_THAT(fields.error().message, HasSubstr("on or off"));
}

TEST(Fingerprint, context_whose_blocks_cannot_be_cut_is_refused) {
  const Scratch scratch;
  Model model = load(scratch.tiny());
  llama_context_params params = model.params();
  params.kv_unified = false;
  const auto kind = state_kind(model.context(), params);
  ASSERT_FALSE(kind);
  EXPECT_THAT(kind.error().message, HasSubstr("kv_unified"));
}

TEST(Fingerprint, block_size_out_of_range_is_named) {
  const Scratch scratch;
  Model model = load(scratch.tiny());
  FingerprintOptions options = options_for(model);
  options.block_tokens = 8;
  const auto fields = describe(model.context(), model.params(), options);
  ASSERT_FALSE(fields);
  EXPECT_EQ(fields.error().message, "block_tokens 8: allowed are 16 to 512");
}

TEST(Fingerprint, models_whose_state_cannot_be_cut_are_checkpointed) {
  const Scratch scratch;
  for (const TinyKind kind : {TinyKind::kSliding, TinyKind::kRecurrent}) {
    Model model = load(scratch.tiny(kind));
    EXPECT_EQ(test::must(state_kind(model.context(), model.params())), StateKind::kCheckpoints);
  }
  Model plain = load(scratch.tiny());
  EXPECT_EQ(test::must(state_kind(plain.context(), plain.params())), StateKind::kBlocks);
}

}  // namespace
}  // namespace terrace::llama
