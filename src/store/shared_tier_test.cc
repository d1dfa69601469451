// Tiers that others write too (Q1, R6, T3): two stores over one mock, in one process and in two.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include <gtest/gtest.h>

#include "base/virtual_executor.h"
#include "io/test_support.h"
#include "store/storage_manager.h"
#include "tier/mock/mock_tier.h"

namespace terrace::store {
namespace {

constexpr uint64_t kBytes = 60000;

Key key_of(int n) {
  Key key;
  key.bytes[0] = static_cast<uint8_t>(n);
  key.bytes[31] = 7;
  return key;
}
std::vector<Key> keys_of(int first, int count) {
  std::vector<Key> keys;
  for (int i = 0; i < count; ++i) keys.push_back(key_of(first + i));
  return keys;
}

// Stores a chain, whole, through any store.
void store_chain(Store& store, int first, int count) {
  std::vector<BlockSpec> specs;
  for (const Key& key : keys_of(first, count)) specs.push_back({key, kBytes, {}, {}});
  auto answers = store.reserve({Key{{1}}, {}, specs});
  ASSERT_TRUE(answers);
  std::vector<Reservation> filled;
  for (auto& answer : *answers) {
    if (!answer.reservation) continue;
    std::ranges::fill(answer.reservation.bytes(), std::byte{answer.reservation.key().bytes[0]});
    filled.push_back(std::move(answer.reservation));
  }
  ASSERT_TRUE(store.commit(filled));
}

class SharedTier : public ::testing::Test {
 protected:
  struct Node {
    std::shared_ptr<StorageManager> manager;
    std::unique_ptr<Store> store;
    tier::mock::MockTier* mock = nullptr;
  };
  Node open() {
    StoreOptions options;
    options.l1.budget = 8 << 20;
    options.tiers.resize(1);
    options.tiers[0].kind = TierOptions::Kind::kMock;
    options.tiers[0].name = "shared";
    StoreParts parts;
    parts.clock = &executor_;
    parts.executor = &executor_;
    parts.segments = memory::heap_segments();
    tier::mock::MockOptions mock;
    mock.exact_index = false;
    mock.latency = std::chrono::milliseconds(5);
    Node node;
    auto tier = std::make_unique<tier::mock::MockTier>(mock, backing_, executor_, executor_);
    node.mock = tier.get();
    parts.tiers.push_back(std::move(tier));
    node.manager = StorageManager::create(options, std::move(parts)).value();
    node.store = std::make_unique<Store>(node.manager);
    executor_.run_for(std::chrono::milliseconds(20));
    return node;
  }
  LookupResult ask(Node& node, int first, int count, Timeout timeout = kDefaultTimeout) {
    auto running = node.store->lookup_async(keys_of(first, count), timeout);
    EXPECT_TRUE(running);
    executor_.run_for(std::chrono::milliseconds(30));
    EXPECT_TRUE(running->ready());
    return running->take().value_or(LookupResult{});
  }
  base::VirtualExecutor executor_{3};
  std::shared_ptr<tier::mock::MemoryBacking> backing_ = std::make_shared<tier::mock::MemoryBacking>(0);
};

TEST_F(SharedTier, Q1_lookup_async_finds_what_another_store_wrote_and_lookup_knows_it_then) {
  Node a = open(), b = open();
  store_chain(*a.store, 1, 4);
  executor_.run_for(std::chrono::seconds(1));
  EXPECT_EQ(b.store->lookup(keys_of(1, 5))->found, 0u);
  const LookupResult answer = ask(b, 1, 5);
  EXPECT_EQ(answer.found, 4u);
  EXPECT_EQ(answer.where[0], tier_bit(1));
  EXPECT_EQ(answer.reasons, std::vector<MissReason>{MissReason::kUnknown});
  EXPECT_EQ(b.store->lookup(keys_of(1, 5))->found, 4u);
  auto got = b.store->get(keys_of(1, 4));
  ASSERT_EQ(got->size(), 4u);
  EXPECT_EQ((*got)[3].source, 1);
  EXPECT_EQ((*got)[3].bytes[100], std::byte{4});
}

TEST_F(SharedTier, Q1_answers_at_the_deadline_with_what_came) {
  Node a = open(), b = open();
  store_chain(*a.store, 1, 2);
  executor_.run_for(std::chrono::seconds(1));
  b.mock->set_faults({.delay = std::chrono::milliseconds(500)});
  const auto begun = executor_.now();
  auto running = b.store->lookup_async(keys_of(1, 2), std::chrono::milliseconds(10));
  executor_.run_for(std::chrono::milliseconds(10));
  ASSERT_TRUE(running->ready());
  EXPECT_EQ(running->take()->found, 0u);
  EXPECT_LE((executor_.now() - begun).count(), 10'000'000);
}

TEST_F(SharedTier, C3_a_no_is_believed_for_negative_presence_and_then_asked_again) {
  Node a = open(), b = open();
  EXPECT_EQ(ask(b, 1, 2).found, 0u);
  store_chain(*a.store, 1, 2);
  executor_.run_for(std::chrono::milliseconds(100));
  EXPECT_EQ(ask(b, 1, 2).found, 0u);  // not asked: it said no a moment ago
  executor_.run_for(std::chrono::seconds(1));
  EXPECT_EQ(ask(b, 1, 2).found, 2u);
}

// Only the record says whose a block is that another store wrote.
TEST_F(SharedTier, a_bound_call_reads_what_its_record_says_is_of_its_namespaces) {
  Node a = open(), b = open();
  store_chain(*a.store, 1, 2);
  executor_.run_for(std::chrono::seconds(1));
  const auto bound_to = [](const Key& root) { return std::make_shared<const Scope>(std::vector<Key>{root}); };
  const ScopePtr others = bound_to(Key{{2}}), its = bound_to(Key{{1}});
  const auto got = [&](const ScopePtr& scope) {
    auto get = b.manager->get_async(keys_of(1, 2), {}, {}, scope);
    executor_.run_for(std::chrono::seconds(1));
    return get->take()->size();
  };
  ASSERT_EQ(ask(b, 1, 2).found, 2u);
  alignas(4096) static std::array<std::byte, 61'440> memory;
  std::ranges::fill(memory, std::byte{0xEE});
  const auto region = b.store->register_region(memory.data(), memory.size());
  const RegionSlice slice{*region, 0, kBytes};
  auto into = b.manager->get_into(keys_of(1, 1), std::span(&slice, 1),
                                  {.timeout = kDefaultTimeout, .write_back = WriteBack::kNever}, {}, others);
  executor_.run_for(std::chrono::seconds(1));
  EXPECT_EQ(into->result().delivered, 0u);
  EXPECT_EQ(into->result().reasons[0], MissReason::kUnknown);
  EXPECT_TRUE(std::ranges::all_of(memory, [](std::byte byte) { return byte == std::byte{0xEE}; }));
  EXPECT_EQ(got(others), 0u);
  EXPECT_EQ(got(its), 2u);
  EXPECT_EQ(got(others), 0u);
}

TEST_F(SharedTier, what_another_store_removed_is_a_miss_and_forgotten) {
  Node a = open(), b = open();
  store_chain(*a.store, 1, 2);
  executor_.run_for(std::chrono::seconds(1));
  ASSERT_EQ(ask(b, 1, 2).found, 2u);
  ASSERT_TRUE(a.store->remove(keys_of(1, 2)));
  const auto got = b.store->get(keys_of(1, 2));
  EXPECT_EQ(got->size(), 0u);
  EXPECT_EQ(b.store->lookup(keys_of(1, 2))->found, 0u);
  EXPECT_EQ(b.store->stats().tiers[1].load_errors, 0u);
}

TEST_F(SharedTier, D1_remove_reaches_what_this_store_never_saw) {
  Node a = open(), b = open();
  store_chain(*a.store, 1, 2);
  executor_.run_for(std::chrono::seconds(1));
  ASSERT_TRUE(b.store->remove(keys_of(1, 2)));
  EXPECT_EQ(backing_->blocks(), 0u);
}

TEST_F(SharedTier, D1_an_answer_from_before_a_removal_makes_nothing_visible) {
  Node a = open(), b = open();
  store_chain(*a.store, 1, 2);
  executor_.run_for(std::chrono::seconds(1));
  b.mock->set_faults({.delay = std::chrono::milliseconds(2)});  // what was asked first is answered last
  auto running = b.store->lookup_async(keys_of(1, 2), std::chrono::seconds(1));
  b.mock->set_faults({});
  const auto record = *backing_->get(key_of(1));
  ASSERT_TRUE(b.store->remove(keys_of(1, 2)));
  // The tier answers as if it had looked before the removal.
  ASSERT_TRUE(backing_->reserve(record.bytes.size()));
  ASSERT_TRUE(backing_->put(record));
  executor_.run_for(std::chrono::milliseconds(500));
  EXPECT_TRUE(running->ready());
  EXPECT_EQ(b.store->lookup(keys_of(1, 2))->found, 0u);
}

TEST_F(SharedTier, R6_a_damaged_record_is_read_once_more_then_absent_here_and_left_alone) {
  Node a = open(), b = open();
  store_chain(*a.store, 1, 1);
  executor_.run_for(std::chrono::seconds(1));
  ASSERT_EQ(ask(b, 1, 1).found, 1u);
  ASSERT_TRUE(backing_->flip_bit(key_of(1), 8 * 5000));
  const auto got = b.store->get(keys_of(1, 1));
  EXPECT_EQ(got->size(), 0u);
  EXPECT_EQ(got->reasons()[0], MissReason::kDamaged);
  EXPECT_EQ(b.store->stats().tiers[1].verification_failures, 1u);
  EXPECT_EQ(backing_->blocks(), 1u);  // others judge for themselves
  EXPECT_EQ(b.store->lookup(keys_of(1, 1))->found, 0u);
}

TEST_F(SharedTier, R6_a_transient_flip_costs_a_second_read_only) {
  Node a = open(), b = open();
  store_chain(*a.store, 1, 1);
  executor_.run_for(std::chrono::seconds(1));
  ASSERT_EQ(ask(b, 1, 1).found, 1u);
  b.mock->set_faults({.flip_bit = 1});
  auto running = b.store->get_async(keys_of(1, 1), {});
  executor_.run_for(std::chrono::milliseconds(6));  // the first read has ended
  b.mock->set_faults({});
  executor_.run_for(std::chrono::milliseconds(20));
  ASSERT_TRUE(running->ready());
  EXPECT_EQ(running->take()->size(), 1u);
}

// --- two processes over one directory

StoreOptions over(const std::string& backing) {
  StoreOptions options;
  options.l1.budget = 8 << 20;
  TierOptions shared;
  shared.kind = TierOptions::Kind::kMock;
  shared.name = "shared";
  shared.mock.backing = backing;
  shared.mock.capacity = 64 << 20;
  options.tiers = {shared};
  return options;
}

TEST(SharedMock, T3_two_processes_share_one_backing) {
  const io::test::TempDirectory directory;
  const std::string backing = directory / "mock";
  const pid_t writer = ::fork();
  ASSERT_GE(writer, 0);
  if (writer == 0) {
    auto store = Store::open(over(backing));
    if (!store) ::_exit(1);
    store_chain(**store, 1, 8);
    const bool synced = (*store)->sync(std::chrono::seconds(20)).has_value();
    store->reset();
    ::_exit(synced && !::testing::Test::HasFailure() ? 0 : 2);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(writer, &status, 0), writer);
  ASSERT_EQ(status, 0);

  auto reader = Store::open(over(backing));
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_EQ((*reader)->lookup(keys_of(1, 8))->found, 0u);
  auto queue = (*reader)->make_queue();
  auto running = (*reader)->lookup_async(keys_of(1, 9), std::chrono::seconds(20), {queue, 3});
  std::array<Completion, 4> events;
  ASSERT_EQ(queue->wait(events, std::chrono::seconds(30)), 1u);
  EXPECT_EQ(events[0].tag, 3u);
  EXPECT_EQ(running->take()->found, 8u);
  const auto got = (*reader)->get(keys_of(1, 8));
  ASSERT_EQ(got->size(), 8u);
  for (size_t i = 0; i < 8; ++i)
    EXPECT_EQ((*got)[i].bytes[kBytes - 1], std::byte{static_cast<uint8_t>(i + 1)});
}

TEST(SharedMock, a_backing_that_cannot_be_had_is_named) {
  const auto store = Store::open(over("/nowhere/at/all"));
  ASSERT_FALSE(store);
  EXPECT_NE(store.error().message.find("/nowhere/at/all"), std::string::npos);
}

}  // namespace
}  // namespace terrace::store
