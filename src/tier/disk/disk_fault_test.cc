// Failing devices (T2, P9, P10; issue 2 section 3 g).
#include <gmock/gmock.h>

#include "tier/disk/disk_test_kit.h"

namespace terrace::tier::disk::test {
namespace {

using ::testing::HasSubstr;

void set_errors(io::FaultPlan& plan, double chance) {
  for (const auto kind : {io::FaultKind::kReadError, io::FaultKind::kWriteError, io::FaultKind::kSyncError}) {
    plan.set_chance(kind, chance);
  }
}

TEST(DiskFault, one_of_several_paths_failing_leaves_the_others_3g_T4) {
  io::SimDisk disk;
  Life life(disk, small_options({"/a", "/b", "/c"}));
  life.must_open();
  for (uint64_t id = 1; id <= 30; ++id) ASSERT_TRUE(life.store(id, 20'000));
  std::array<int, 3> per_path{};
  for (const auto& [key, block] : life.listener.blocks) ++per_path[volume_of(block.where.place)];
  for (const int count : per_path) EXPECT_GT(count, 2);

  set_errors(*life.plans[1], 1.0);
  for (uint64_t id = 1; id <= 30; ++id) (void)life.check(id);
  for (uint64_t id = 100; id < 130; ++id) (void)life.store(id, 20'000);
  const Status status = life.tier->status();
  EXPECT_EQ(status.paths[1].state, State::kUnavailable);
  EXPECT_THAT(status.paths[1].last_error, HasSubstr(""));
  EXPECT_EQ(status.paths[0].state, State::kReady);
  EXPECT_EQ(status.state, State::kDegraded);
  for (uint64_t id = 200; id < 230; ++id) {
    ASSERT_TRUE(life.store(id, 20'000)) << "healthy paths take what the failing one should have had";
    EXPECT_NE(volume_of(life.listener.blocks.at(key_of(id)).where.place), 1u);
  }
  set_errors(*life.plans[1], 0.0);
  life.executor.run_for(std::chrono::seconds(5));
  EXPECT_NE(life.tier->status().paths[1].state, State::kUnavailable) << "back within 5 s (P10)";
}

TEST(DiskFault, a_device_that_fails_at_start_is_a_degraded_start_3g_T4) {
  io::SimDisk disk;
  const DiskOptions options = small_options({"/a", "/b"});
  {
    Life life(disk, options);
    life.must_open();
    for (uint64_t id = 1; id <= 20; ++id) ASSERT_TRUE(life.store(id, 20'000));
  }
  {
    Life life(disk, options);
    life.files.failing = true;
    life.must_open();
    EXPECT_EQ(life.tier->status().state, State::kDegraded);
    EXPECT_EQ(life.tier->status().paths[1].state, State::kUnavailable);
    const size_t half = life.listener.blocks.size();
    EXPECT_LT(half, 20u);
    ASSERT_TRUE(life.store(100, 20'000));
    life.files.failing = false;
    life.executor.run_for(std::chrono::seconds(10));
    EXPECT_EQ(life.listener.blocks.size(), 21u) << "opened by a probe";
    for (uint64_t id = 1; id <= 20; ++id) EXPECT_TRUE(life.check(id));
  }
  DiskOptions all = options;
  all.require_all_paths = true;
  Life life(disk, all);
  life.files.failing = true;
  const auto opened = life.open();
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr("/b"));
}

TEST(DiskFault, misconfiguration_is_an_error_that_names_the_path_3g_T4) {
  io::SimDisk disk;
  io::SimFileSystem files(disk);
  ASSERT_TRUE(files.open("/b", {.create = true}));
  Life life(disk, small_options({"/a", "/b"}));
  const auto opened = life.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().error.code, Code::kInvalidArgument);
  EXPECT_THAT(opened.error().message, HasSubstr("/b is not a directory"));
}

TEST(DiskFault, by_rank_places_each_rank_on_its_path_T4) {
  io::SimDisk disk;
  DiskOptions options = small_options({"/a", "/b"});
  options.path_choice = PathChoice::kByRank;
  Life life(disk, options);
  life.must_open();
  for (uint64_t id = 1; id <= 12; ++id) {
    ASSERT_TRUE(life.store(id, 20'000));
    EXPECT_EQ(volume_of(life.listener.blocks.at(key_of(id)).where.place), id % 4 % 2);
  }
}

TEST(DiskFault, a_segment_is_quarantined_after_three_device_errors_P9_C3) {
  io::SimDisk disk;
  Life life(disk);
  life.must_open();
  for (uint64_t id = 1; id <= 4; ++id) ASSERT_TRUE(life.store(id, 200'000));
  ASSERT_TRUE(life.store(5, 500'000));
  life.plans[0]->add_bad_range("/a/000000.data", 0, 4096);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(life.check(1).error().code, Code::kIo);
  }
  EXPECT_EQ(life.listener.lost.size(), 4u);
  EXPECT_EQ(life.check(2).error().code, Code::kNotFound);
  EXPECT_TRUE(life.check(5));
  for (uint64_t id = 10; id < 20; ++id) {
    ASSERT_TRUE(life.store(id, 200'000));
    EXPECT_NE(life.listener.blocks.at(key_of(id)).where.segment, 0u);
  }
  life.kill();
  Life after(disk);
  after.must_open();
  EXPECT_FALSE(after.listener.blocks.contains(key_of(2))) << "what was given up does not come back";
  EXPECT_TRUE(after.check(5));
}

TEST(DiskFault, a_failed_sync_gives_up_what_was_not_synced_and_is_not_repeated_P9) {
  io::SimDisk disk;
  Life life(disk);
  life.must_open();
  ASSERT_TRUE(life.store(1, 20'000));
  ASSERT_TRUE(life.sync());
  ASSERT_TRUE(life.store(2, 20'000));
  life.plans[0]->set_chance(io::FaultKind::kSyncError, 1.0);
  EXPECT_FALSE(life.sync());
  life.plans[0]->set_chance(io::FaultKind::kSyncError, 0.0);
  EXPECT_TRUE(life.listener.lost.contains(key_of(2)));
  EXPECT_TRUE(life.check(1));
  ASSERT_TRUE(life.store(3, 20'000));
  EXPECT_TRUE(life.sync());
  life.kill();
  Life after(disk);
  after.must_open();
  EXPECT_FALSE(after.listener.blocks.contains(key_of(2)));
  EXPECT_TRUE(after.check(1) && after.check(3));
}

TEST(DiskFault, what_was_removed_before_a_failed_sync_is_not_back_after_the_next_one_D1) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    io::SimDisk disk;
    Life life(disk);
    life.must_open();
    ASSERT_TRUE(life.store(1, 20'000) && life.store(2, 20'000) && life.sync());
    ASSERT_TRUE(life.remove(1, RemoveKind::kRemove));
    life.plans[0]->set_chance(io::FaultKind::kSyncError, 1.0);
    EXPECT_FALSE(life.sync());
    life.plans[0]->set_chance(io::FaultKind::kSyncError, 0.0);
    ASSERT_TRUE(life.sync());
    life.crash(seed);
    Life after(disk);
    after.must_open();
    EXPECT_FALSE(after.listener.blocks.contains(key_of(1))) << "seed " << seed;
    EXPECT_TRUE(after.check(2));
  }
}

TEST(DiskFault, no_sync_vouches_for_removals_from_a_segment_that_could_not_be_retired_D1) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    io::SimDisk disk;
    Life life(disk);
    life.must_open();
    for (uint64_t id = 1; id <= 2; ++id) ASSERT_TRUE(life.store(id, 200'000));
    ASSERT_TRUE(life.sync());
    ASSERT_TRUE(life.remove(1, RemoveKind::kRemove));
    life.files.writes_fail = true;
    life.plans[0]->add_bad_range("/a/000000.data", 0, base::kMiB);
    for (int i = 0; i < 3; ++i) (void)life.check(2);
    EXPECT_FALSE(life.sync());
    life.files.writes_fail = false;
    ASSERT_TRUE(life.sync()) << "it is retired now";
    life.crash(seed);
    Life after(disk);
    after.must_open();
    EXPECT_FALSE(after.listener.blocks.contains(key_of(1))) << "seed " << seed;
  }
}

TEST(DiskFault, a_stalled_device_trips_the_breaker_through_deadlines_and_comes_back_P10) {
  io::SimDisk disk;
  Life life(disk);
  life.must_open();
  for (uint64_t id = 1; id <= 10; ++id) ASSERT_TRUE(life.store(id, 20'000));
  life.plans[0]->stall_until(life.executor.now() + std::chrono::seconds(10));
  std::vector<std::shared_ptr<Sink>> sinks(10);
  for (uint64_t id = 1; id <= 10; ++id) life.begin_read(life.listener.blocks.at(key_of(id)), sinks[id - 1]);
  life.executor.run_for(std::chrono::milliseconds(2100));
  EXPECT_FALSE(life.tier->available(life.listener.blocks.at(key_of(1)).where.place));
  EXPECT_EQ(life.tier->place(meta_of(50, 1000)).error().why, Refusal::kUnavailable);
  std::shared_ptr<Sink> late;
  EXPECT_EQ(life.begin_read(life.listener.blocks.at(key_of(1)), late), 0u);
  EXPECT_EQ(late->error->code, Code::kUnavailable) << "asked for before the breaker opened, issued after";
  life.executor.run_for(std::chrono::seconds(13));
  for (const auto& sink : sinks) EXPECT_EQ(sink->dones, 1) << "done still comes";
  EXPECT_TRUE(life.tier->available(life.listener.blocks.at(key_of(1)).where.place));
  EXPECT_TRUE(life.check(3));
}

TEST(DiskFault, random_errors_never_give_wrong_bytes_and_nothing_hangs_P9) {
  for (uint64_t seed = 1; seed <= 15; ++seed) {
    io::SimDisk disk({.seed = seed});
    base::Random random(seed);
    Life life(disk, small_options(), seed);
    life.must_open();
    set_errors(*life.plans[0], 1.0 / 64);
    for (uint64_t id = 1; id <= 150; ++id) {
      const auto stored = life.store_evicting(id, 1 + random.below(300'000));
      ASSERT_TRUE(stored || stored.error().code != Code::kDeadline) << "seed " << seed;
      if (random.one_in(4)) life.executor.run_for(std::chrono::milliseconds(700));
      const auto read = life.check(1 + random.below(id));
      ASSERT_TRUE(read || read.error().code != Code::kDeadline);
    }
    set_errors(*life.plans[0], 0.0);
    life.executor.run_for(std::chrono::seconds(5));
    life.kill();
    Life after(disk, small_options(), seed + 1000);
    after.must_open();
    for (uint64_t id = 1; id <= 150; ++id) (void)after.check(id);
  }
}

TEST(DiskFault, close_reports_what_a_hung_device_kept_D3) {
  io::SimDisk disk;
  Life life(disk);
  life.must_open();
  ASSERT_TRUE(life.store(1, 20'000));
  life.plans[0]->stall_until(life.executor.now() + std::chrono::seconds(60));
  std::shared_ptr<Sink> sink;
  life.begin_read(life.listener.blocks.at(key_of(1)), sink);
  const auto begun = life.executor.now();
  EXPECT_GT(life.tier->close(begun + std::chrono::seconds(2)), 0u);
  EXPECT_LE(life.executor.now() - begun, std::chrono::seconds(3));
  EXPECT_EQ(sink->dones, 0);
  life.tier.reset();  // waits
  EXPECT_EQ(sink->dones, 1);
}

TEST(DiskFault, what_a_lowered_capacity_cannot_drop_cannot_be_removed_either_D1_D2) {
  io::SimDisk disk;
  {
    Life life(disk);
    life.must_open();
    for (uint64_t id = 0; id < 24; ++id) ASSERT_TRUE(life.store(id, 200'000));
  }
  const DiskOptions less = small_options({"/a"}, 4 * base::kMiB);
  {
    Life life(disk, less);
    life.files.removals_fail = true;
    life.must_open();
    ASSERT_GT(life.listener.blocks.size(), 0u);
    ASSERT_LT(life.listener.blocks.size(), 24u);
    // A block that stayed out of this life would be back with more room.
    uint64_t id = 0;
    while (!life.listener.blocks.contains(key_of(id))) ++id;
    EXPECT_FALSE(life.remove(id, RemoveKind::kRemove));
  }
  Life life(disk, less);
  life.must_open();
  uint64_t id = 0;
  while (!life.listener.blocks.contains(key_of(id))) ++id;
  EXPECT_TRUE(life.remove(id, RemoveKind::kRemove));
  EXPECT_LE(disk.used_bytes(), 4 * base::kMiB);
}

}  // namespace
}  // namespace terrace::tier::disk::test
