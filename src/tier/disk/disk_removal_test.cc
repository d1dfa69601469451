// D1 at the tier: what a removal was acknowledged for never comes back, whatever the device does meanwhile.
#include "tier/disk/disk_test_kit.h"

namespace terrace::tier::disk::test {
namespace {

// A removal of nothing in particular: what was evicted before stays gone, too.
Result<void> bury(Life& life) {
  std::optional<Result<void>> ended;
  life.tier->remove({}, RemoveKind::kRemove, [&](Result<void> result) { ended = result; });
  life.run([&] { return ended.has_value(); });
  return ended ? *ended : fail(Code::kDeadline, "the removal never ended");
}

bool holds(io::SimDisk& disk, const DiskOptions& options, uint64_t id) {
  Life life(disk, options);
  EXPECT_TRUE(life.open());
  return life.listener.blocks.contains(key_of(id));
}

TEST(DiskRemoval, is_not_acknowledged_while_a_segment_could_not_be_read_D1) {
  io::SimDisk disk;
  const DiskOptions options = small_options({"/b"});
  {
    Life life(disk, options);
    life.must_open();
    ASSERT_TRUE(life.store(1, 50'000));
  }
  {
    Life life(disk, options);
    ASSERT_TRUE(life.open(false));
    life.files.failing = true;
    life.tier->start(life.listener);
    life.run([&] { return life.listener.recoveries > 0; });
    life.files.failing = false;
    ASSERT_FALSE(life.listener.blocks.contains(key_of(1)));
    EXPECT_FALSE(bury(life));
  }
  EXPECT_TRUE(holds(disk, options, 1));
}

TEST(DiskRemoval, a_clearing_that_failed_is_tried_again_D1) {
  io::SimDisk disk;
  {
    Life life(disk);
    life.must_open();
    ASSERT_TRUE(life.store(1, 50'000));
    life.plans[0]->set_chance(io::FaultKind::kWriteError, 1);
    EXPECT_FALSE(life.remove(1, RemoveKind::kRemove));
    life.plans[0]->set_chance(io::FaultKind::kWriteError, 0);
    ASSERT_TRUE(bury(life));
    life.kill();
  }
  EXPECT_FALSE(holds(disk, small_options(), 1));
}

TEST(DiskRemoval, is_not_acknowledged_while_an_old_layout_stands_D1) {
  io::SimDisk disk;
  const DiskOptions options = small_options({"/a"}, 5 * base::kMiB / 2);  // two segments
  Life life(disk, options);
  life.must_open();
  ASSERT_TRUE(life.store(1, 50'000));
  ASSERT_TRUE(life.store(3, 30'000));
  life.evict(key_of(1));
  life.files.writes_fail = true;  // the header of the new layout
  EXPECT_FALSE(life.store(2, 20'000));
  life.files.writes_fail = false;
  EXPECT_FALSE(bury(life));
  life.executor.run_for(std::chrono::seconds(2));
  ASSERT_TRUE(life.store(2, 20'000));
  EXPECT_TRUE(bury(life));
  life.kill();
  EXPECT_FALSE(holds(disk, options, 1));
}

TEST(DiskRemoval, of_a_killed_life_is_durable_after_the_next_sync_D1) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    io::SimDisk disk;
    {
      Life life(disk);
      life.must_open();
      ASSERT_TRUE(life.store(1, 50'000));
      ASSERT_TRUE(life.store(2, 50'000));
      ASSERT_TRUE(life.sync());
      ASSERT_TRUE(life.remove(1, RemoveKind::kRemove));
      life.kill();
    }
    {
      Life life(disk);
      life.must_open();
      ASSERT_TRUE(life.sync());
      life.crash(seed);
    }
    EXPECT_FALSE(holds(disk, small_options(), 1)) << "seed " << seed;
  }
}

TEST(DiskRemoval, is_not_acknowledged_while_a_path_opened_late_recovers_D1) {
  io::SimDisk disk;
  const DiskOptions options = small_options({"/a", "/b"});
  {
    Life life(disk, options);
    life.must_open();
    for (uint64_t id = 1; id <= 20; ++id) ASSERT_TRUE(life.store(id, 50'000));
  }
  Life life(disk, options);
  life.files.failing = true;
  life.must_open();
  life.files.failing = false;
  life.run([&] { return life.tier->status().paths[1].state == State::kRecovering; });
  ASSERT_EQ(life.tier->status().paths[1].state, State::kRecovering);
  EXPECT_FALSE(bury(life));
  life.run([&] { return life.tier->status().paths[1].state == State::kReady; });
  EXPECT_TRUE(bury(life));
}

// The write begins with clearing the old entry, which is what the removal waits for.
TEST(DiskRemoval, is_acknowledged_although_the_slot_was_written_and_evicted_meanwhile_D1) {
  io::SimDisk disk;
  Life life(disk);
  life.must_open();
  ASSERT_TRUE(life.store(1, 50'000));
  life.evict(key_of(1));
  bool evicted = false;
  const auto answer = life.begin_store(2, 50'000, [&](Result<void> result) {
    ASSERT_TRUE(result);
    life.evict(key_of(2));
    evicted = true;
  });
  ASSERT_TRUE(answer);
  EXPECT_TRUE(bury(life));
  life.run([&] { return evicted; });
  EXPECT_TRUE(evicted);
}

// It was on its way to be cleared by a write when the first removal looked.
TEST(DiskRemoval, an_entry_that_a_write_could_not_clear_is_tried_again_D1) {
  io::SimDisk disk;
  {
    Life life(disk);
    life.must_open();
    ASSERT_TRUE(life.store(1, 50'000));
    life.evict(key_of(1));
    life.plans[0]->set_chance(io::FaultKind::kWriteError, 1);
    bool ended = false;
    ASSERT_TRUE(life.begin_store(2, 50'000, [&](Result<void>) { ended = true; }));
    EXPECT_FALSE(bury(life));
    life.run([&] { return ended; });
    life.plans[0]->set_chance(io::FaultKind::kWriteError, 0);
    ASSERT_TRUE(bury(life));
    life.kill();
  }
  EXPECT_FALSE(holds(disk, small_options(), 1));
}

// What waits for a write's clearing may be several: a group sync, or another removal, came first.
TEST(DiskRemoval, waits_for_an_entry_that_a_write_clears_and_a_sync_waits_for_too_D1) {
  io::SimDisk disk;
  {
    Life life(disk);
    life.must_open();
    ASSERT_TRUE(life.store(1, 50'000));
    life.evict(key_of(1));
    life.plans[0]->stall_until(life.executor.now() + std::chrono::seconds(1));
    ASSERT_TRUE(life.begin_store(2, 50'000, {}));
    life.tier->sync([](Result<void>) {});
    life.executor.run_for(std::chrono::milliseconds(1));
    ASSERT_TRUE(bury(life));
    life.kill();
  }
  EXPECT_FALSE(holds(disk, small_options(), 1));
}

TEST(DiskRemoval, nothing_is_evicted_for_want_of_segments_not_yet_recovered) {
  io::SimDisk disk;
  const DiskOptions options = small_options({"/a"}, 5 * base::kMiB / 2);
  {
    Life life(disk, options);
    life.must_open();
    ASSERT_TRUE(life.store(1, 50'000));
    ASSERT_TRUE(life.store(3, 30'000));
  }
  Life life(disk, options);
  ASSERT_TRUE(life.open(false));
  life.tier->start(life.listener);
  const auto early = life.tier->place(meta_of(2, 50'000));
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().why, Refusal::kUnavailable);
  life.run([&] { return life.listener.recoveries > 0; });
  EXPECT_TRUE(life.store(2, 50'000));
}

}  // namespace
}  // namespace terrace::tier::disk::test
