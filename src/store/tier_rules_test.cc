// Tiers as the store sees them: known at open (T1), hidden while their breaker is open (T2), never believed
// (T6). Over the simulated tier.
#include <gtest/gtest.h>

#include "base/virtual_executor.h"
#include "store/storage_manager.h"
#include "tier/mock/mock_tier.h"

namespace terrace::store {
namespace {

constexpr uint64_t kBytes = 60000;

std::vector<Key> keys_of(int first, int count) {
  std::vector<Key> keys(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) keys[static_cast<size_t>(i)].bytes[0] = static_cast<uint8_t>(first + i);
  return keys;
}

// L1 only stages, so that each answer is the tier's.
class TierRules : public ::testing::Test {
 protected:
  void open() {
    close();
    StoreOptions options;
    options.l1.budget = 8 << 20;
    options.l1.mode = L1Mode::kStaging;
    options.tiers.resize(1);
    options.tiers[0].kind = TierOptions::Kind::kMock;
    options.tiers[0].name = "mock";
    StoreParts parts;
    parts.clock = &executor_;
    parts.executor = &executor_;
    parts.segments = memory::heap_segments();
    auto tier =
        std::make_unique<tier::mock::MockTier>(tier::mock::MockOptions{}, backing_, executor_, executor_);
    mock_ = tier.get();
    parts.tiers.push_back(std::move(tier));
    manager_ = StorageManager::create(options, std::move(parts)).value();
    store_ = std::make_unique<Store>(manager_);
    queue_ = store_->make_queue();
  }
  void close() {
    store_.reset();
    executor_.run_ready();
    manager_.reset();
  }
  void TearDown() override { close(); }

  // Stores a chain; what became of its writes.
  std::vector<Completion> store_chain(int first, int count) {
    std::vector<BlockSpec> specs;
    for (const Key& key : keys_of(first, count)) specs.push_back({key, kBytes, {}, {}});
    auto answers = store_->reserve({Key{{1}}, {}, specs});
    std::vector<Reservation> filled;
    for (auto& answer : *answers) {
      if (!answer.reservation) continue;
      std::ranges::fill(answer.reservation.bytes(), std::byte{7});
      filled.push_back(std::move(answer.reservation));
    }
    EXPECT_TRUE(store_->commit(filled, {queue_, 1}));
    executor_.run_for(std::chrono::milliseconds(50));
    std::vector<Completion> events(100);
    events.resize(queue_->poll(events));
    std::erase_if(events, [](const Completion& event) { return event.kind != EventKind::kWrite; });
    return events;
  }
  MissReason reason(int n) const {
    const auto answer = store_->lookup(keys_of(n, 1));
    return answer->reasons.empty() ? MissReason::kNone : answer->reasons[0];
  }
  MissReason reason_of_get(int n) const {
    const auto blocks = store_->get(keys_of(n, 1));
    return blocks->reasons().empty() ? MissReason::kNone : blocks->reasons()[0];
  }

  base::VirtualExecutor executor_{1};
  std::shared_ptr<tier::mock::MockBacking> backing_ =
      std::make_shared<tier::mock::MemoryBacking>(64 * base::kMiB);
  tier::mock::MockTier* mock_ = nullptr;
  std::shared_ptr<StorageManager> manager_;
  std::unique_ptr<Store> store_;
  std::shared_ptr<CompletionQueue> queue_;
};

TEST_F(TierRules, T1_what_a_tier_announces_at_open_is_found_without_asking_it) {
  open();
  store_chain(1, 4);
  open();
  ASSERT_TRUE(store_->wait_recovered(std::chrono::seconds(1)));
  EXPECT_EQ(store_->lookup(keys_of(1, 4))->found, 4u);
  EXPECT_EQ(store_->get(keys_of(1, 4))->size(), 4u);
}

TEST_F(TierRules, T2_an_open_breaker_hides_the_tier_and_drops_its_writes_until_a_probe_succeeds) {
  open();
  store_chain(1, 10);
  ASSERT_EQ(store_->lookup(keys_of(1, 10))->found, 10u);
  mock_->set_faults({.down = true});
  for (int n = 1; n <= 8; ++n) EXPECT_EQ(reason_of_get(n), MissReason::kDeviceError);
  EXPECT_EQ(store_->lookup(keys_of(1, 10))->found, 0u);
  EXPECT_EQ(reason(1), MissReason::kTierUnavailable);
  for (const Completion& event : store_chain(100, 3)) {
    EXPECT_EQ(event.status, WriteStatus::kDropped);
    EXPECT_TRUE(event.cause == DropCause::kUnavailable || event.cause == DropCause::kParentDropped);
  }
  EXPECT_EQ(store_->stats().tiers[1].state, "unavailable");
  EXPECT_FALSE(store_->stats().tiers[1].last_error.empty());
  mock_->set_faults({});
  executor_.run_for(std::chrono::seconds(5));
  EXPECT_EQ(store_->stats().tiers[1].state, "ready");
  EXPECT_EQ(store_->lookup(keys_of(1, 10))->found, 10u);
  EXPECT_EQ(store_->get(keys_of(1, 10))->size(), 10u);
  for (const Completion& event : store_chain(100, 3)) EXPECT_EQ(event.status, WriteStatus::kOk);
}

TEST_F(TierRules, T2_an_operation_past_its_deadline_is_a_failure_of_the_tier) {
  open();
  store_chain(1, 2);
  mock_->set_faults({.delay = std::chrono::seconds(6)});  // beyond operation_timeout
  EXPECT_EQ(reason_of_get(1), MissReason::kDeadline) << "the get has its own, shorter one";
  executor_.run_for(std::chrono::seconds(10));
  EXPECT_EQ(store_->stats().leased_blocks, 0u);
  EXPECT_EQ(store_->stats().tiers[0].used_bytes, 0u) << "late IO gave its slot back";
  mock_->set_faults({});
  EXPECT_EQ(reason_of_get(2), MissReason::kNone);
}

TEST_F(TierRules, T6_a_tier_that_delivers_other_bytes_is_not_believed) {
  open();
  store_chain(1, 1);
  mock_->set_faults({.flip_bit = 1});
  EXPECT_EQ(reason_of_get(1), MissReason::kDamaged);
  EXPECT_EQ(store_->stats().tiers[1].verification_failures, 1u);
}

}  // namespace
}  // namespace terrace::store
