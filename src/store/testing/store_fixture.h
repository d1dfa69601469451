// A store on virtual time over scripted tiers, and short ways to say what tests say often.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/virtual_executor.h"
#include "store/storage_manager.h"
#include "store/testing/scripted_tier.h"

namespace terrace::store::testing {

class StoreTest : public ::testing::Test {
 protected:
  static constexpr uint64_t kBlock = 60000;  // a record is 64 KiB: header, 15 pages
  static constexpr size_t kL1Blocks = 128;   // that fit L1 as SetUp sizes it

  // Opens the store; call again to open another over fresh tiers.
  void open(size_t tiers = 1) {
    StoreParts parts;
    parts.clock = &executor_;
    parts.executor = &executor_;
    parts.segments = segments_();
    tiers_.clear();
    for (size_t i = 0; i < tiers; ++i) {
      auto tier = std::make_unique<ScriptedTier>("tier" + std::to_string(i + 1));
      tiers_.push_back(tier.get());
      parts.tiers.push_back(std::move(tier));
    }
    if (prepare_) prepare_();
    auto manager = StorageManager::create(options_, std::move(parts));
    ASSERT_TRUE(manager) << manager.error().message;
    manager_ = *manager;
    store_ = std::make_unique<Store>(manager_);
    settle();
  }
  void SetUp() override {
    options_.l1.budget = 8 << 20;
    options_.l1.high_watermark = options_.l1.low_watermark = 1.0;
    root_.bytes[0] = 0xAA;
  }
  void TearDown() override {
    for (ScriptedTier* tier : tiers_) {
      // What the test has just begun may not have reached the tier yet: nothing is held from here on.
      tier->hold_writes = tier->hold_reads = tier->hold_removes = false;
      tier->release_writes();
      tier->release_reads();
      tier->release_removes();
    }
    settle();
    store_.reset();
    settle();
    manager_.reset();
  }

  static Key key(int n) {
    Key key;
    key.bytes[0] = static_cast<uint8_t>(n);
    key.bytes[1] = static_cast<uint8_t>(n >> 8);
    key.bytes[8] = static_cast<uint8_t>(n * 37);
    key.bytes[16] = static_cast<uint8_t>(n);
    key.bytes[17] = static_cast<uint8_t>(n >> 8);
    key.bytes[31] = 1;
    return key;
  }
  static std::vector<Key> keys(int first, int count) {
    std::vector<Key> keys;
    for (int i = 0; i < count; ++i) keys.push_back(key(first + i));
    return keys;
  }
  static std::byte byte_of(const Key& key) { return std::byte{static_cast<uint8_t>(key.bytes[0] + 1)}; }

  // A chain of blocks first, first+1, ...; its head stands below `parent`.
  std::vector<ReserveAnswer> reserve(int first, int count, Key parent = {}, uint64_t bytes = kBlock) {
    std::vector<BlockSpec> specs;
    for (const Key& k : keys(first, count)) specs.push_back({k, bytes, {}, {}});
    auto answers = store_->reserve({root_, parent, specs});
    EXPECT_TRUE(answers);
    return answers ? std::move(*answers) : std::vector<ReserveAnswer>{};
  }
  static void fill(Reservation& reservation) {
    std::ranges::fill(reservation.bytes(), byte_of(reservation.key()));
  }
  // Reserves, fills and commits what got a buffer; does not let anything else run.
  size_t store_chain(int first, int count, Key parent = {}, Notify notify = {}, uint64_t bytes = kBlock) {
    auto answers = reserve(first, count, parent, bytes);
    std::vector<Reservation> filled;
    for (auto& answer : answers) {
      if (!answer.reservation) continue;
      fill(answer.reservation);
      filled.push_back(std::move(answer.reservation));
    }
    EXPECT_TRUE(store_->commit(filled, notify));
    return filled.size();
  }
  // As store_chain, waiting for room and credit, which all blocks must get; `filled` is called before the
  // commit.
  size_t store_waiting(int first, int count, Key parent = {}, const std::function<void()>& filled = {}) {
    std::vector<BlockSpec> specs;
    for (const Key& k : keys(first, count)) specs.push_back({k, kBlock, {}, {}});
    auto answers = store_->reserve_wait({root_, parent, specs}, std::chrono::seconds(5));
    EXPECT_TRUE(answers);
    std::vector<Reservation> reservations;
    if (!answers) return 0;
    for (auto& answer : *answers) {
      EXPECT_EQ(answer.outcome, ReserveOutcome::kBuffer) << first;
      if (!answer.reservation) continue;
      fill(answer.reservation);
      reservations.push_back(std::move(answer.reservation));
    }
    if (filled) filled();
    EXPECT_TRUE(store_->commit(reservations));
    return reservations.size();
  }
  // Empties L1 by storing a chain that takes all of it; its own blocks leave with the next call's.
  void evict_l1() {
    constexpr int blocks = kL1Blocks;
    for (ScriptedTier* tier : tiers_) tier->unavailable = true;
    filler_ += blocks;
    store_chain(filler_, blocks);
    for (ScriptedTier* tier : tiers_) tier->unavailable = false;
    settle();
  }
  static bool right(const BlockView& view) {
    return std::ranges::all_of(view.bytes, [&](std::byte b) { return b == byte_of(view.key); });
  }
  void settle() { executor_.run_ready(); }
  size_t found(int first, int count) { return store_->lookup(keys(first, count))->found; }
  std::vector<TierMask> places(std::span<const Key> of) { return store_->lookup(of)->where; }
  MissReason reason(int n) {
    const auto answer = store_->lookup(std::vector<Key>{key(n)});
    return answer->reasons.empty() ? MissReason::kNone : answer->reasons[0];
  }

  base::VirtualExecutor executor_{1};
  StoreOptions options_;
  std::function<std::unique_ptr<memory::SegmentSource>()> segments_ = memory::heap_segments;
  std::function<void()> prepare_;  // scripts the tiers before they start
  std::vector<ScriptedTier*> tiers_;
  std::shared_ptr<StorageManager> manager_;
  std::unique_ptr<Store> store_;
  Key root_;
  int filler_ = 20000;
};

}  // namespace terrace::store::testing
