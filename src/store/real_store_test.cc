// The store as users open it: real files, real IO engines, real threads. No timings; every wait is for an
// event.
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <terrace/store.h>

#include "io/test_support.h"

namespace terrace {
namespace {

class RealStore : public ::testing::TestWithParam<IoChoice> {
 protected:
  void SetUp() override {
    options_.l1.budget = 32 << 20;
    TierOptions tier;
    tier.disk.paths = {directory_ + "/store"};
    tier.disk.capacity = 256 << 20;
    tier.disk.io = GetParam();
    options_.tiers = {tier};
    options_.get_timeout = std::chrono::seconds(60);
    options_.operation_timeout = std::chrono::seconds(60);
  }
  void TearDown() override { store_.reset(); }
  void open() {
    store_.reset();
    auto store = Store::open(options_);
    ASSERT_TRUE(store) << store.error().message;
    store_ = std::move(*store);
    ASSERT_TRUE(store_->wait_recovered(std::chrono::seconds(60)));
    root_ = *store_->open_namespace({.model_id = "model", .block_tokens = 64});
  }
  std::vector<Key> chain(uint32_t seed, uint32_t count) {
    std::vector<uint32_t> tokens(count * 4);
    for (uint32_t i = 0; i < tokens.size(); ++i) tokens[i] = seed * 1000 + i;
    return block_keys(root_, tokens, 4);
  }
  static std::byte at(const Key& key, size_t i) {
    return std::byte{static_cast<uint8_t>(key.bytes[i % 32] + i / 4096)};
  }

  // Stores the chain and waits until every write has ended.
  void store_chain(std::span<const Key> keys, uint64_t bytes) {
    std::vector<BlockSpec> specs;
    for (const Key& key : keys) specs.push_back({key, bytes});
    auto answers = store_->reserve_wait({root_, {}, specs}, std::chrono::seconds(60));
    ASSERT_TRUE(answers);
    std::vector<Reservation> filled;
    for (auto& answer : *answers) {
      ASSERT_EQ(answer.outcome, ReserveOutcome::kBuffer);
      const auto to = answer.reservation.bytes();
      for (size_t i = 0; i < to.size(); ++i) to[i] = at(answer.reservation.key(), i);
      filled.push_back(std::move(answer.reservation));
    }
    auto queue = store_->make_queue();
    ASSERT_TRUE(store_->commit(filled, {queue, 1}));
    std::array<Completion, 64> events;
    for (bool ended = false; !ended;) {
      const size_t count = queue->wait(events, std::chrono::seconds(60));
      ASSERT_GT(count, 0u);
      for (size_t i = 0; i < count; ++i) {
        EXPECT_EQ(events[i].status, WriteStatus::kOk)
            << to_string(events[i].cause) << to_string(events[i].error);
        ended = ended || events[i].kind == EventKind::kWriteBatch;
      }
    }
  }
  void expect_right(std::span<const Key> keys, uint64_t bytes, uint16_t source) {
    const auto blocks = store_->get(keys);
    ASSERT_TRUE(blocks);
    ASSERT_EQ(blocks->size(), keys.size()) << to_string(blocks->reasons()[0]);
    for (const BlockView& view : blocks->views()) {
      ASSERT_EQ(view.bytes.size(), bytes);
      EXPECT_EQ(view.source, source);
      for (size_t i = 0; i < view.bytes.size(); ++i) ASSERT_EQ(view.bytes[i], at(view.key, i)) << i;
    }
  }

  const io::test::TempDirectory temporary_;
  const std::string directory_ = temporary_.path();
  StoreOptions options_;
  std::unique_ptr<Store> store_;
  Key root_;
};

TEST_P(RealStore, delivers_from_L1_and_after_a_restart_from_disk) {
  open();
  const auto keys = chain(1, 8);
  store_chain(keys, 300001);
  expect_right(keys, 300001, 0);
  open();
  EXPECT_EQ(store_->lookup(keys)->found, 8u);
  expect_right(keys, 300001, 1);
  expect_right(keys, 300001, 0);
  EXPECT_FALSE(store_->stats().tiers[1].engine.empty());
}

TEST_P(RealStore, passes_more_than_L1_holds_through_to_the_disk) {
  open();
  std::vector<std::vector<Key>> chains;
  for (uint32_t c = 0; c < 30; ++c) {
    chains.push_back(chain(100 + c, 4));
    store_chain(chains.back(), 1 << 20);
  }
  for (const auto& keys : chains) EXPECT_EQ(store_->get(keys)->size(), 4u);
  EXPECT_GT(store_->stats().tiers[1].hits, 0u);
}

TEST_P(RealStore, D1_removed_blocks_stay_gone_after_a_restart) {
  open();
  const auto keys = chain(7, 3);
  store_chain(keys, 70000);
  EXPECT_EQ(*store_->remove(std::span(keys).subspan(1, 1)), 1u);
  open();
  EXPECT_EQ(store_->lookup(keys)->found, 1u);
}

TEST_P(RealStore, E5_counts_survive_a_restart_and_stay_within_the_capacity) {
  open();
  for (uint32_t c = 0; c < 40; ++c) store_chain(chain(200 + c, 8), 1 << 20);
  const auto before = store_->stats().tiers[1];
  EXPECT_LE(before.allocated_bytes, before.capacity_bytes);
  EXPECT_GT(before.evictions, 0u);
  open();
  const auto after = store_->stats().tiers[1];
  EXPECT_EQ(after.blocks, before.blocks);
  EXPECT_EQ(after.used_bytes, before.used_bytes);
}

TEST_P(RealStore, many_threads_store_and_get_at_once) {
  open();
  std::vector<std::jthread> threads;
  for (uint32_t t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (uint32_t round = 0; round < 20; ++round) {
        const auto keys = chain(1000 + t % 2 * 100 + round, 4);
        std::vector<BlockSpec> specs;
        for (const Key& key : keys) specs.push_back({key, 50000});
        auto answers = store_->reserve({root_, {}, specs});
        std::vector<Reservation> filled;
        for (auto& answer : *answers) {
          if (!answer.reservation) continue;
          const auto to = answer.reservation.bytes();
          for (size_t i = 0; i < to.size(); ++i) to[i] = at(answer.reservation.key(), i);
          filled.push_back(std::move(answer.reservation));
        }
        ASSERT_TRUE(store_->commit(filled));
        const auto blocks = store_->get(keys);
        for (const BlockView& view : blocks->views()) {
          for (size_t i = 0; i < view.bytes.size(); i += 997) ASSERT_EQ(view.bytes[i], at(view.key, i));
        }
      }
    });
  }
}

// --- processes that the kernel refuses something: 0 when open answered with an error

[[noreturn]] void exit_with(const Outcome<std::unique_ptr<Store>>& opened, Code expected) {
  if (!opened) std::fprintf(stderr, "%s\n", opened.error().message.c_str());
  ::_exit(opened || opened.error().error.code != expected ? 3 : 0);
}

[[noreturn]] void open_without_threads(const StoreOptions& options) {
  std::array<sock_filter, 6> program{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  sock_fprog filter{.len = program.size(), .filter = program.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) ::_exit(2);
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) ::_exit(2);
  exit_with(Store::open(options), Code::kUnavailable);
}

[[noreturn]] void open_with_files_of(uint64_t bytes, const StoreOptions& options) {
  const rlimit most{.rlim_cur = bytes, .rlim_max = bytes};
  if (::setrlimit(RLIMIT_FSIZE, &most) != 0) ::_exit(2);
  exit_with(Store::open(options), Code::kLimitExceeded);
}

TEST_P(RealStore, opens_with_an_error_where_no_thread_can_be_had) {
  EXPECT_EXIT(open_without_threads(options_), testing::ExitedWithCode(0), "thread");
}

TEST_P(RealStore, opens_with_an_error_where_files_must_be_shorter_than_it_needs) {
  EXPECT_EXIT(open_with_files_of(4096, options_), testing::ExitedWithCode(0), "too large");
}

std::string name_of(const ::testing::TestParamInfo<IoChoice>& choice) {
  return choice.param == IoChoice::kAuto ? "auto" : "psync";
}
INSTANTIATE_TEST_SUITE_P(Engines, RealStore, ::testing::Values(IoChoice::kAuto, IoChoice::kPsync), name_of);

}  // namespace
}  // namespace terrace
