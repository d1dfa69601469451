// Completions over everything that can become of a write (S4), and fences on the host (S6).
#include <map>

#include "base/random.h"
#include "store/testing/store_fixture.h"

namespace terrace::store {
namespace {

using testing::ScriptedTier;
using testing::StoreTest;

class CompletionRules : public StoreTest {
 protected:
  static constexpr int kTiers = 2;

  // Takes what was reported; counts it by batch, key and tier.
  void take_events() {
    std::vector<Completion> events(4096);
    events.resize(queue_->poll(events));
    for (const Completion& event : events) {
      if (event.kind == EventKind::kWrite) {
        EXPECT_EQ(batches_[event.tag], 0) << "a write reported after its batch";
        ++writes_[{event.tag, event.key, event.tier}];
        ++by_status_[event.status];
      } else {
        ASSERT_EQ(event.kind, EventKind::kWriteBatch);
        ++batches_[event.tag];
      }
    }
  }
  // Reserves a chain twice, as two engines do that computed the same prompt, and commits both.
  void commit_twice(int first, int count) {
    auto one = reserve(first, count), two = reserve(first, count);
    for (auto* answers : {&one, &two}) {
      std::vector<Reservation> filled;
      for (auto& answer : *answers) {
        if (!answer.reservation) continue;
        fill(answer.reservation);
        filled.push_back(std::move(answer.reservation));
      }
      const uint64_t tag = ++last_tag_;
      for (const Reservation& reservation : filled) committed_.emplace_back(tag, reservation.key());
      ASSERT_TRUE(store_->commit(filled, {queue_, tag}));
      EXPECT_EQ(batches_[tag], 0) << "reported inside the call";
    }
  }
  void expect_each_once() const {
    for (const auto& [tag, key] : committed_) {
      for (uint16_t tier = 1; tier <= kTiers; ++tier) {
        const auto it = writes_.find({tag, key, tier});
        EXPECT_EQ(it == writes_.end() ? 0 : it->second, 1) << "batch " << tag << " tier " << tier;
      }
    }
    EXPECT_EQ(writes_.size(), committed_.size() * kTiers) << "nothing else was reported";
    for (uint64_t tag = 1; tag <= last_tag_; ++tag) EXPECT_EQ(batches_.at(tag), 1);
  }

  std::shared_ptr<CompletionQueue> queue_;
  uint64_t last_tag_ = 0;
  std::vector<std::pair<uint64_t, Key>> committed_;
  std::map<std::tuple<uint64_t, Key, uint16_t>, int> writes_;
  std::map<uint64_t, int> batches_;
  std::map<WriteStatus, int> by_status_;
};

TEST_F(CompletionRules, S4_each_write_is_reported_once_whatever_becomes_of_it) {
  options_.store_bytes_in_flight = 40 * 65536;
  open(kTiers);
  queue_ = store_->make_queue();
  base::Random random(7);
  for (int step = 0; step < 300; ++step) {
    for (ScriptedTier* tier : tiers_) {
      tier->fail_writes = random.one_in(6);
      tier->hold_writes = random.one_in(3);
      tier->unavailable = random.one_in(8);
      tier->records_max = random.one_in(4) ? 20 : 1000;
    }
    const int first = 1 + static_cast<int>(random.below(20)) * 50;
    commit_twice(first, 1 + static_cast<int>(random.below(12)));
    if (random.one_in(2)) settle();
    take_events();
    if (random.one_in(3)) {
      for (ScriptedTier* tier : tiers_) tier->hold_writes = false;
      // Blocks until writes under way were undone, so they must be able to end.
      for (ScriptedTier* tier : tiers_) tier->release_writes();
      EXPECT_TRUE(store_->remove(keys(first, 3)));
    }
    for (ScriptedTier* tier : tiers_) tier->release_writes();
    take_events();
  }
  settle();
  take_events();
  expect_each_once();
  for (const auto status : {WriteStatus::kOk, WriteStatus::kDropped, WriteStatus::kFailed}) {
    EXPECT_GT(by_status_[status], 20) << "the workload is poor";
  }
}

TEST_F(CompletionRules, S6_a_fence_of_the_host_is_ready_already) {
  open();
  auto answers = reserve(1, 1);
  std::vector<Reservation> filled;
  fill(answers[0].reservation);
  filled.push_back(std::move(answers[0].reservation));
  ASSERT_TRUE(store_->commit(filled, {}, Fence{}));
  EXPECT_EQ(found(1, 1), 1u) << "published inside the call";
  EXPECT_EQ(store_->get(keys(1, 1), {}, Fence{})->size(), 1u);
}

}  // namespace
}  // namespace terrace::store
