#include "llama_cpp/session.h"

#include <cstring>
#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "llama_cpp/test_support.h"

namespace terrace::llama {
namespace {

using test::computed_logits;
using test::kBlockTokens;
using test::load;
using test::logits_after;
using test::open_session;
using test::open_store;
using test::Scratch;
using test::some_tokens;

// Computes and stores a prompt in a context of its own, as an earlier process would have.
Stored store_prompt(const std::string& model_path, Store& store, std::span<const uint32_t> tokens,
                    bool flash_attention = false) {
  Model model = load(model_path, flash_attention);
  Session session = open_session(model, store);
  (void)logits_after(model, tokens);
  return session.store(tokens);
}

class SessionFlash : public testing::TestWithParam<bool> {};

INSTANTIATE_TEST_SUITE_P(attention, SessionFlash, testing::Bool(),
                         [](const auto& of) { return of.param ? "flash" : "plain"; });

TEST_P(SessionFlash, restored_prefix_gives_the_logits_of_a_computed_one_bit_for_bit) {
  const Scratch scratch;
  const std::string path = scratch.tiny();
  const auto tokens = some_tokens(200);
  auto store = open_store();
  EXPECT_EQ(store_prompt(path, *store, tokens, GetParam()).blocks, 3U);

  Model model = load(path, GetParam());
  Session session = open_session(model, *store);
  const Restored restored = session.restore(tokens);
  ASSERT_EQ(restored.tokens, 192U);
  EXPECT_EQ(restored.blocks_l1, 3U);
  EXPECT_EQ(restored.stopped_by, MissReason::kNone);
  EXPECT_EQ(logits_after(model, tokens, restored.tokens), computed_logits(path, tokens, GetParam()));
}

TEST(Session, restores_from_disk_after_the_store_was_opened_again_bit_for_bit) {
  const Scratch scratch;
  const std::string path = scratch.tiny();
  const auto tokens = some_tokens(400);
  {
    auto store = open_store(scratch.file("store"));
    EXPECT_EQ(store_prompt(path, *store, tokens).blocks, 6U);
    ASSERT_TRUE(store->close(std::chrono::seconds(30)));
  }
  auto store = open_store(scratch.file("store"));
  Model model = load(path);
  Session session = open_session(model, *store);
  const Restored restored = session.restore(tokens);
  ASSERT_EQ(restored.tokens, 384U);
  EXPECT_EQ(restored.blocks_tier, 6U);
  EXPECT_EQ(logits_after(model, tokens, restored.tokens), computed_logits(path, tokens));
}

TEST(Session, restores_the_part_that_another_prompt_shares) {
  const Scratch scratch;
  const std::string path = scratch.tiny();
  const auto first = some_tokens(300);
  auto second = first;
  second[150] ^= 1;  // inside the third block
  auto store = open_store();
  store_prompt(path, *store, first);

  Model model = load(path);
  Session session = open_session(model, *store);
  const Restored restored = session.restore(second);
  ASSERT_EQ(restored.tokens, 128U);
  EXPECT_EQ(restored.stopped_by, MissReason::kUnknown);
  EXPECT_EQ(logits_after(model, second, restored.tokens), computed_logits(path, second));
}

TEST(Session, leaves_the_last_token_to_decode) {
  const Scratch scratch;
  const std::string path = scratch.tiny();
  const auto tokens = some_tokens(2 * kBlockTokens);
  auto store = open_store();
  EXPECT_EQ(store_prompt(path, *store, tokens).blocks, 2U);

  Model model = load(path);
  Session session = open_session(model, *store);
  EXPECT_EQ(session.restore(tokens).tokens, kBlockTokens);
  EXPECT_EQ(logits_after(model, tokens, kBlockTokens), computed_logits(path, tokens));
}

// K3
TEST(Session, stores_no_partial_block) {
  const Scratch scratch;
  const std::string path = scratch.tiny();
  auto store = open_store();
  EXPECT_EQ(store_prompt(path, *store, some_tokens(kBlockTokens - 1)).blocks, 0U);
  EXPECT_EQ(store_prompt(path, *store, some_tokens(2 * kBlockTokens + 1)).blocks, 2U);
}

TEST(Session, stores_each_block_once) {
  const Scratch scratch;
  const std::string path = scratch.tiny();
  auto store = open_store();
  Model model = load(path);
  Session session = open_session(model, *store);
  const auto tokens = some_tokens(200);
  (void)logits_after(model, tokens);
  EXPECT_EQ(session.store(tokens).blocks, 3U);
  const Stored again = session.store(tokens);
  EXPECT_EQ(again.blocks, 0U);
  EXPECT_EQ(again.present, 3U);
}

TEST(Session, stores_nothing_of_what_the_sequence_does_not_hold) {
  const Scratch scratch;
  auto store = open_store();
  Model model = load(scratch.tiny());
  Session session = open_session(model, *store);
  const auto tokens = some_tokens(300);
  (void)logits_after(model, std::span(tokens).first(100));
  const Stored stored = session.store(tokens);
  EXPECT_EQ(stored.blocks, 1U);
  EXPECT_EQ(stored.dropped, 3U);
}

TEST(Session, restoring_forgets_what_the_sequence_held_before) {
  const Scratch scratch;
  const std::string path = scratch.tiny();
  auto store = open_store();
  const auto tokens = some_tokens(200);
  store_prompt(path, *store, tokens);
  Model model = load(path);
  Session session = open_session(model, *store);
  (void)logits_after(model, some_tokens(333, 5));
  ASSERT_EQ(session.restore(tokens).tokens, 192U);
  EXPECT_EQ(logits_after(model, tokens, 192), computed_logits(path, tokens));
}

// R3
TEST(Session, removed_block_ends_the_restore_before_it) {
  const Scratch scratch;
  const std::string path = scratch.tiny();
  const auto tokens = some_tokens(400);
  auto store = open_store();
  store_prompt(path, *store, tokens);
  Model model = load(path);
  Session session = open_session(model, *store);
  const std::vector<Key> keys = block_keys(session.root(), tokens, kBlockTokens);
  ASSERT_TRUE(store->remove({&keys[3], 1}));

  const Restored restored = session.restore(tokens);
  ASSERT_EQ(restored.tokens, 3 * kBlockTokens);
  EXPECT_EQ(logits_after(model, tokens, restored.tokens), computed_logits(path, tokens));
  session.store(tokens);
  EXPECT_EQ(session.restore(tokens).tokens, 6 * kBlockTokens);
}

// Flips bytes of the payload `bytes` wherever a file under `directory` holds it. Returns how many places
// there were.
int damage(const std::filesystem::path& directory, const std::string& bytes) {
  int places = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    for (size_t at = content.find(bytes); at != std::string::npos; at = content.find(bytes, at + 1)) {
      file.clear();
      file.seekp(static_cast<std::streamoff>(at + bytes.size() / 2));
      file.put(static_cast<char>(~content[at + bytes.size() / 2]));
      ++places;
    }
  }
  return places;
}

// R6: what does not verify is a miss, and the rest is computed.
TEST(Session, damaged_block_ends_the_restore_before_it) {
  const Scratch scratch;
  const std::string path = scratch.tiny();
  const auto tokens = some_tokens(400);
  std::string payload;
  {
    auto store = open_store(scratch.file("store"));
    store_prompt(path, *store, tokens);
    Model model = load(path);
    Session session = open_session(model, *store);
    const std::vector<Key> keys = block_keys(session.root(), tokens, kBlockTokens);
    const auto blocks = store->get({&keys[2], 1});
    ASSERT_TRUE(blocks && blocks->size() == 1);
    const auto bytes = (*blocks)[0].bytes;
    payload.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    ASSERT_TRUE(store->close(std::chrono::seconds(30)));
  }
  ASSERT_EQ(damage(scratch.file("store"), payload), 1);

  auto store = open_store(scratch.file("store"));
  Model model = load(path);
  Session session = open_session(model, *store);
  const Restored restored = session.restore(tokens);
  ASSERT_EQ(restored.tokens, 2 * kBlockTokens);
  EXPECT_EQ(restored.stopped_by, MissReason::kDamaged);
  EXPECT_EQ(logits_after(model, tokens, restored.tokens), computed_logits(path, tokens));
}

// K5 lets two writers disagree; bytes that are no state of this context must not get into it.
TEST(Session, block_that_llama_refuses_is_recomputed) {
  const Scratch scratch;
  const std::string path = scratch.tiny();
  const auto tokens = some_tokens(400);
  auto store = open_store();
  Model model = load(path);
  Session session = open_session(model, *store);
  const std::vector<Key> keys = block_keys(session.root(), tokens, kBlockTokens);
  const BlockSpec foreign{.key = keys[0], .bytes = 5000, .family = {}, .member = {}};
  auto answers = store->reserve({.root = session.root(), .parent = {}, .blocks = {&foreign, 1}});
  ASSERT_TRUE(answers && answers->front().reservation);
  std::ranges::fill(answers->front().reservation.bytes(), std::byte{0x5a});
  ASSERT_TRUE(store->commit({&answers->front().reservation, 1}));

  const Restored restored = session.restore(tokens);
  EXPECT_EQ(restored.tokens, 0U);
  EXPECT_EQ(restored.stopped_by, MissReason::kDamaged);
  EXPECT_EQ(logits_after(model, tokens), computed_logits(path, tokens));
}

// K1, K2: whatever makes a state unusable is in the namespace.
TEST(Session, another_namespace_is_a_miss) {
  const Scratch scratch;
  const std::string path = scratch.tiny();
  const auto tokens = some_tokens(200);
  auto store = open_store();
  store_prompt(path, *store, tokens);

  Model other_weights = load(scratch.tiny(TinyKind::kPlain, 2));
  EXPECT_EQ(open_session(other_weights, *store).restore(tokens).tokens, 0U);
  Model other_attention = load(path, true);
  EXPECT_EQ(open_session(other_attention, *store).restore(tokens).tokens, 0U);
  Model other_type = test::must(Model::open(
      {.path = path, .context_tokens = 1024, .flash_attention = false, .kv_type = GGML_TYPE_F32}));
  EXPECT_EQ(open_session(other_type, *store).restore(tokens).tokens, 0U);

  Model model = load(path);
  for (const bool salt : {false, true}) {
    SessionOptions options = test::session_options(model);
    (salt ? options.fingerprint.tenant_salt : options.fingerprint.adapter) = "other";
    Session session = test::must(Session::open(model.context(), model.params(), *store, options));
    EXPECT_EQ(session.restore(tokens).tokens, 0U);
  }
  EXPECT_EQ(open_session(model, *store).restore(tokens).tokens, 192U);
}

TEST(Session, refuses_sequences_the_context_does_not_have) {
  const Scratch scratch;
  auto store = open_store();
  Model model = load(scratch.tiny());
  SessionOptions options = test::session_options(model);
  options.scratch = 2;
  const auto session = Session::open(model.context(), model.params(), *store, options);
  ASSERT_FALSE(session);
  EXPECT_THAT(session.error().message, testing::HasSubstr("n_seq_max 2"));
}

class SessionCheckpoint : public testing::TestWithParam<TinyKind> {};

INSTANTIATE_TEST_SUITE_P(models, SessionCheckpoint, testing::Values(TinyKind::kSliding, TinyKind::kRecurrent),
                         [](const auto& of) {
                           return of.param == TinyKind::kSliding ? "sliding" : "recurrent";
                         });

// Prefill that stops where the session wants a checkpoint, as answer.cc does.
void prefill_with_checkpoints(Model& model, Session& session, std::span<const uint32_t> tokens) {
  const auto total = static_cast<uint32_t>(tokens.size());
  for (uint32_t position = 0; position < total;) {
    const uint32_t stop = session.next_stop(position, total);
    (void)logits_after(model, tokens.first(stop), position);
    position = stop;
    session.store(tokens.first(position));
  }
}

// Cells of a window lie elsewhere after a restore, so sums are taken in another order: equal up to rounding.
void expect_close(const std::vector<float>& ours, const std::vector<float>& computed) {
  EXPECT_THAT(ours, testing::Pointwise(testing::FloatNear(1e-3F), computed));
  EXPECT_EQ(std::ranges::max_element(ours) - ours.begin(),
            std::ranges::max_element(computed) - computed.begin());
}

TEST_P(SessionCheckpoint, whole_states_are_stored_and_restored_at_their_own_token) {
  const Scratch scratch;
  const std::string path = scratch.tiny(GetParam());
  const auto tokens = some_tokens(900);
  auto store = open_store();
  {
    Model model = load(path);
    Session session = open_session(model, *store);
    ASSERT_EQ(session.kind(), StateKind::kCheckpoints);
    EXPECT_THAT(*session.fields().layout_id, testing::HasSubstr("checkpoint"));
    prefill_with_checkpoints(model, session, tokens);
  }
  Model model = load(path);
  Session session = open_session(model, *store);
  EXPECT_EQ(session.restore(tokens).tokens, 896U);
  expect_close(logits_after(model, tokens, 896), computed_logits(path, tokens));

  // A prompt that leaves the text earlier gets the last checkpoint before that, never a later state cut
  // short.
  auto other = tokens;
  other[700] ^= 1;
  EXPECT_EQ(session.restore(other).tokens, 512U);
  expect_close(logits_after(model, other, 512), computed_logits(path, other));
}

TEST_P(SessionCheckpoint, state_between_block_boundaries_is_not_stored) {
  const Scratch scratch;
  auto store = open_store();
  Model model = load(scratch.tiny(GetParam()));
  Session session = open_session(model, *store);
  const auto tokens = some_tokens(200);
  (void)logits_after(model, tokens);
  EXPECT_EQ(session.store(tokens).blocks, 0U);
  EXPECT_EQ(session.store(std::span(tokens).first(128)).blocks, 0U);  // the sequence stands at 200
  EXPECT_EQ(session.restore(tokens).tokens, 0U);
}

}  // namespace
}  // namespace terrace::llama
