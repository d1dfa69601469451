// Recovery without memory (P7): it ends, the tier works, and nothing that was found comes back wrong.
#include "tier/disk/disk_test_kit.h"
#include "tier/disk/layout.h"

namespace terrace::tier::disk::test {
namespace {

constexpr uint64_t kBlocks = 12, kBytes = 200'000;  // four to a segment of small_options()

void store_all(Life& life) {
  for (uint64_t id = 0; id < kBlocks; ++id) ASSERT_TRUE(life.store(id, kBytes));
  ASSERT_TRUE(life.sync());
}

void make_store(io::SimDisk& disk) {
  Life life(disk);
  life.must_open();
  store_all(life);
}

TEST(DiskMemory, blocks_for_which_the_store_has_no_memory_leave_room_for_others_P7) {
  io::SimDisk disk({.seed = 1});
  make_store(disk);
  {
    Life life(disk);
    life.listener.no_memory = true;
    life.must_open();
    EXPECT_TRUE(life.listener.blocks.empty());
    life.listener.no_memory = false;
    store_all(life);
    for (uint64_t id = 0; id < kBlocks; ++id) EXPECT_TRUE(life.check(id)) << id;
  }
  Life life(disk);
  life.must_open();
  EXPECT_EQ(kBlocks, life.listener.blocks.size());
  for (uint64_t id = 0; id < kBlocks; ++id) EXPECT_TRUE(life.check(id)) << id;
}

TEST(DiskMemory, unverified_blocks_for_which_the_store_has_no_memory_are_gone_P7) {
  io::SimDisk disk({.seed = 2});
  {
    Life life(disk);
    life.must_open();
    for (uint64_t id = 0; id < kBlocks; ++id) ASSERT_TRUE(life.store(id, kBytes));
    life.crash(3);
  }
  Life life(disk);
  life.listener.no_memory = true;
  life.must_open();
  EXPECT_TRUE(life.listener.blocks.empty());
  life.listener.no_memory = false;
  store_all(life);
  for (uint64_t id = 0; id < kBlocks; ++id) EXPECT_TRUE(life.check(id)) << id;
}

TEST(DiskMemory, a_segment_for_which_there_is_no_memory_is_left_to_a_later_start_P7) {
  io::SimDisk disk({.seed = 4});
  make_store(disk);
  {
    Life life(disk);
    life.files.no_memory_for = "/a/" + data_name(1);
    life.must_open();
    EXPECT_FALSE(life.files.no_memory_for) << "nothing was opened";
    EXPECT_GT(life.listener.blocks.size(), 0u);
    EXPECT_LT(life.listener.blocks.size(), kBlocks);
    EXPECT_TRUE(life.store(100, kBytes));
    // What could not be read cannot be removed either, and must not come back as if it had been (D1).
    EXPECT_FALSE(life.remove(100, RemoveKind::kRemove));
  }
  Life life(disk);
  life.must_open();
  uint64_t right = 0;
  for (uint64_t id = 0; id < kBlocks; ++id) right += life.check(id).has_value() ? 1 : 0;
  EXPECT_EQ(right, kBlocks);
}

}  // namespace
}  // namespace terrace::tier::disk::test
