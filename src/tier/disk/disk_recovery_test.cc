// Starts after every kind of end, and on every kind of directory (issue 2 section 3, b to f).
#include <gmock/gmock.h>

#include "tier/disk/disk_test_kit.h"

namespace terrace::tier::disk::test {
namespace {

using ::testing::HasSubstr;
constexpr uint64_t kMiB = base::kMiB;

// Stores and evicts with many writes in flight; ends at a random moment. What had ended is noted outside.
void churn(Life& life, base::Random& random, uint64_t first_id, std::set<uint64_t>& ended,
           std::set<uint64_t>& begun) {
  const uint64_t steps = random.below(120);
  for (uint64_t i = 0; i < steps; ++i) {
    const uint64_t id = first_id + i;
    const uint64_t bytes = 1 + random.below(200'000);
    const auto answer = life.begin_store(id, bytes, [&ended, id](Result<void> r) {
      if (r) ended.insert(id);
    });
    if (!answer) {
      if (!life.listener.blocks.empty()) {
        std::set<Key> before;
        for (const auto& [key, block] : life.listener.blocks) before.insert(key);
        life.evict_for(answer.error());
        std::erase_if(ended, [&](uint64_t e) {
          return before.contains(key_of(e)) && !life.listener.blocks.contains(key_of(e));
        });
      }
      continue;
    }
    begun.insert(id);
    if (random.one_in(3)) life.executor.run_for(std::chrono::microseconds(random.below(2000)));
  }
  life.executor.run_for(std::chrono::microseconds(random.below(3000)));
}

TEST(DiskRecovery, after_kill_every_ended_write_is_found_and_nothing_wrong_3b_P4) {
  for (uint64_t seed = 1; seed <= 15; ++seed) {
    io::SimDisk disk({.seed = seed});
    base::Random random(seed);
    std::set<uint64_t> ended, begun;
    for (int cycle = 0; cycle < 4; ++cycle) {
      Life life(disk, small_options(), seed * 10 + cycle);
      life.must_open();
      for (const uint64_t id : ended) {
        ASSERT_TRUE(life.listener.blocks.contains(key_of(id))) << "lost " << id << ", seed " << seed;
      }
      for (const uint64_t id : begun) {
        if (!life.listener.blocks.contains(key_of(id))) continue;
        const auto read = life.check(id);
        ASSERT_TRUE(read) << to_string(read.error()) << " of " << id << ", seed " << seed << ", cycle "
                          << cycle;
        ended.insert(id);
      }
      churn(life, random, static_cast<uint64_t>(cycle) * 1000, ended, begun);
      life.kill();
    }
  }
}

TEST(DiskRecovery, after_a_power_cut_what_was_synced_is_found_and_nothing_wrong_P4) {
  for (uint64_t seed = 1; seed <= 15; ++seed) {
    io::SimDisk disk({.seed = seed});
    base::Random random(seed);
    std::set<uint64_t> begun;
    for (int cycle = 0; cycle < 3; ++cycle) {
      Life life(disk, small_options(), seed * 10 + cycle);
      life.must_open();
      uint64_t unreadable = 0;
      for (const uint64_t id : begun) {
        if (!life.listener.blocks.contains(key_of(id))) continue;
        if (const auto read = life.check(id); !read) {
          ASSERT_EQ(read.error().code, Code::kCorrupt);
          ++unreadable;
        }
      }
      // Only slots written anew after the last sync may hold an entry without its record.
      ASSERT_LE(unreadable, 130u);
      std::set<uint64_t> ended;
      for (uint64_t id = 1; id <= 5; ++id) {
        if (life.store(900'000 + static_cast<uint64_t>(cycle) * 10 + id, 1000)) ended.insert(id);
      }
      ASSERT_TRUE(life.sync());
      if (cycle % 2 == 0) churn(life, random, static_cast<uint64_t>(cycle) * 1000, ended, begun);
      std::set<uint64_t> kept;
      for (uint64_t id = 1; id <= 5; ++id) {
        const uint64_t whole = 900'000 + static_cast<uint64_t>(cycle) * 10 + id;
        if (life.listener.blocks.contains(key_of(whole))) kept.insert(whole);
      }
      life.crash(seed + static_cast<uint64_t>(cycle));
      Life after(disk, small_options(), seed * 10 + cycle + 5);
      after.must_open();
      for (const uint64_t id : kept) ASSERT_TRUE(after.check(id)) << id << ", seed " << seed;
    }
  }
}

TEST(DiskRecovery, an_unsynced_entry_without_its_record_is_not_announced_after_a_power_cut) {
  io::SimDisk disk;
  Place place = 0;
  {
    Life life(disk);
    life.must_open();
    ASSERT_TRUE(life.store(1, 100'000));
    ASSERT_TRUE(life.sync());
    ASSERT_TRUE(life.store(2, 100'000));
    place = life.listener.blocks.at(key_of(2)).where.place;
    life.kill();
  }
  // As a power cut may leave it: the entry reached the disk, the record did not.
  const uint64_t slot = base::round_up(100'000, kPage) + kPage;
  ASSERT_TRUE(disk.fill("/a/000000.data", index_of(place) * slot + 50'000, 100, std::byte{0}));
  {
    Life same_boot(disk);
    same_boot.must_open();
    EXPECT_EQ(same_boot.check(2).error().code, Code::kCorrupt) << "present, then a miss: never wrong";
    same_boot.kill();
  }
  base::Random random(1);
  disk.crash(random);
  Life life(disk);
  life.must_open();
  EXPECT_TRUE(life.check(1));
  EXPECT_FALSE(life.listener.blocks.contains(key_of(2)));
}

TEST(DiskRecovery, a_slot_written_anew_never_leaves_the_old_entry_over_new_bytes_3b) {
  for (int wait_us = 0; wait_us < 1500; wait_us += 10) {
    io::SimDisk disk({.seed = static_cast<uint64_t>(wait_us) + 1});
    {
      Life life(disk);
      life.must_open();
      ASSERT_TRUE(life.store(1, 100'000));
      ASSERT_TRUE(life.store(2, 100'000));
      life.evict(key_of(1));
      ASSERT_TRUE(life.begin_store(3, 100'000, nullptr));
      life.executor.run_for(std::chrono::microseconds(wait_us));
      life.kill();
    }
    Life life(disk);
    life.must_open();
    ASSERT_TRUE(life.check(2));
    for (const uint64_t id : {1, 3}) {
      if (!life.listener.blocks.contains(key_of(id))) continue;
      ASSERT_TRUE(life.check(id)) << id << " after " << wait_us << " us";
    }
  }
}

TEST(DiskRecovery, every_life_has_an_epoch_of_its_own_in_both_copies_P1) {
  io::SimDisk disk;
  uint32_t before = 0;
  for (int i = 0; i < 3; ++i) {
    Life life(disk);
    life.must_open();
    const auto bytes = *disk.contents("/a/superblock");
    uint32_t version = 0;
    const auto first = open_superblock(std::span(bytes).first(kPage), version);
    const auto second = open_superblock(std::span(bytes).subspan(kPage, kPage), version);
    ASSERT_TRUE(first && second);
    EXPECT_EQ(first->epoch, second->epoch);
    EXPECT_NE(first->sequence, second->sequence);
    EXPECT_GT(first->epoch, before);
    before = first->epoch;
    ASSERT_TRUE(life.store(1 + static_cast<uint64_t>(i), 1000));
    const auto binding =
        life.tier->binding(Key{}, life.listener.blocks.at(key_of(1 + static_cast<uint64_t>(i))).where.place);
    EXPECT_EQ(base::load_le<uint64_t>(binding.data() + 20) >> kEpochShift, before);
  }
}

TEST(DiskRecovery, what_a_killed_life_left_unsynced_is_durable_after_the_next_sync_P4) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    io::SimDisk disk({.seed = seed});
    {
      Life life(disk);
      life.must_open();
      ASSERT_TRUE(life.store(1, 100'000));
      life.kill();
    }
    {
      Life life(disk);
      life.must_open();
      ASSERT_TRUE(life.store(2, 300'000));  // another segment
      ASSERT_TRUE(life.sync());
      life.crash(seed);
    }
    Life life(disk);
    life.must_open();
    ASSERT_TRUE(life.check(1)) << "seed " << seed;
    ASSERT_TRUE(life.check(2)) << "seed " << seed;
  }
}

TEST(DiskRecovery, a_sync_during_recovery_vouches_for_nothing_it_has_not_seen) {
  io::SimDisk disk;
  const DiskOptions options = small_options({"/a"}, 16 * kMiB);
  Place last = 0;
  {
    Life life(disk, options);
    life.must_open();
    for (uint64_t id = 1; id <= 45; ++id) ASSERT_TRUE(life.store(id, 200'000));
    last = life.listener.blocks.at(key_of(45)).where.place;
    life.kill();
  }
  // A power cut that kept every entry, but not the last record.
  const std::string file = "/a/" + data_name(segment_of(last));
  ASSERT_TRUE(disk.fill(file, index_of(last) * record::record_bytes(200'000) + 50'000, 100, std::byte{0}));
  auto superblock = *disk.contents("/a/superblock");
  for (const uint64_t copy : {0, 1}) {
    uint32_t version = 0;
    auto one = *open_superblock(std::span(superblock).subspan(copy * kPage, kPage), version);
    one.boot_id = {1, 2, 3};
    one.synced_seq = 0;
    seal(one, std::span(superblock).subspan(copy * kPage, kPage));
  }
  ASSERT_TRUE(disk.replace("/a/superblock", superblock));
  {
    Life life(disk, options);
    ASSERT_TRUE(life.open(false));
    life.tier->start(life.listener);
    ASSERT_TRUE(life.store(100, 1000));
    ASSERT_TRUE(life.sync());
    ASSERT_EQ(life.listener.recoveries, 0) << "recovery was quicker than the sync";
    life.kill();
  }
  Life life(disk, options);
  life.must_open();
  EXPECT_TRUE(life.check(100));
  EXPECT_TRUE(life.check(44));
  EXPECT_FALSE(life.listener.blocks.contains(key_of(45)));
}

TEST(DiskRecovery, answers_while_it_runs_3c_P5) {
  io::SimDisk disk;
  DiskOptions options = small_options({"/a"}, 32 * kMiB);
  {
    Life life(disk, options);
    life.must_open();
    for (uint64_t id = 1; id <= 200; ++id) ASSERT_TRUE(life.store(id, 100'000));
  }
  Life life(disk, options);
  ASSERT_TRUE(life.open(false));
  life.tier->start(life.listener);
  life.run([&] { return !life.listener.blocks.empty(); });
  ASSERT_EQ(life.listener.recoveries, 0) << "recovery ended before the first block was announced";
  EXPECT_EQ(life.tier->status().state, State::kRecovering);
  const Key first = life.listener.blocks.begin()->first;
  std::shared_ptr<Sink> sink;
  life.begin_read(life.listener.blocks.at(first), sink);
  bool stored = false;
  EXPECT_TRUE(life.begin_store(1000, 100'000, [&](Result<void> r) { stored = r.has_value(); }));
  life.run([&] { return sink->dones > 0; });
  EXPECT_FALSE(sink->error);
  life.run([&] { return life.listener.recoveries > 0 && stored; });
  EXPECT_EQ(life.listener.blocks.size(), 201u);
  EXPECT_EQ(life.listener.recoveries, 1);
  EXPECT_EQ(life.tier->status().recovered_blocks, 200u);
}

TEST(DiskRecovery, a_directory_in_use_is_refused_naming_the_process_3d) {
  io::SimDisk disk;
  Life life(disk);
  life.must_open();
  Life second(disk);
  const auto opened = second.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().error.code, Code::kInUse);
  EXPECT_THAT(opened.error().message, HasSubstr("/a is in use by process "));
  life.end();
  EXPECT_TRUE(second.open());
}

TEST(DiskRecovery, a_newer_store_is_refused_naming_both_versions_3e) {
  io::SimDisk disk;
  {
    Life(disk).must_open();
  }
  auto bytes = *disk.contents("/a/superblock");
  Superblock superblock = base::load_le<Superblock>(bytes.data());
  superblock.version = 9;
  seal(superblock, std::span(bytes).first(kPage));
  ASSERT_TRUE(disk.replace("/a/superblock", bytes));
  Life life(disk);
  const auto opened = life.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().error.code, Code::kIncompatible);
  EXPECT_THAT(opened.error().message, HasSubstr("version 9"));
  EXPECT_THAT(opened.error().message, HasSubstr("version 1"));
}

TEST(DiskRecovery, a_foreign_directory_is_refused_by_name_3e) {
  io::SimDisk disk;
  io::SimFileSystem files(disk);
  ASSERT_TRUE(files.make_directory("/a"));
  ASSERT_TRUE(files.open("/a/holiday.jpg", {.create = true}));
  Life life(disk);
  const auto opened = life.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().error.code, Code::kForeign);
  EXPECT_THAT(opened.error().message, HasSubstr("holiday.jpg"));
  EXPECT_EQ(files.list("/a")->size(), 1u) << "nothing was made there";
}

TEST(DiskRecovery, lost_and_found_and_unknown_files_of_a_store_are_left_alone_3f) {
  io::SimDisk disk;
  {
    Life(disk).must_open();
  }
  io::SimFileSystem files(disk);
  ASSERT_TRUE(files.open("/a/README", {.create = true}));
  ASSERT_TRUE(files.make_directory("/a/000003.data"));
  ASSERT_TRUE(files.make_directory("/a/lost+found"));
  Life life(disk);
  life.must_open();
  for (uint64_t id = 1; id <= 30; ++id) ASSERT_TRUE(life.store_evicting(id, 900'000));
  EXPECT_TRUE(files.stat("/a/README"));
  EXPECT_TRUE(files.stat("/a/000003.data")->is_directory);
}

struct Damaged {
  io::SimDisk disk;
  std::map<uint64_t, FoundBlock> stored;
};

void make_store(Damaged& store) {
  Life life(store.disk);
  life.must_open();
  for (uint64_t id = 1; id <= 20; ++id) {
    ASSERT_TRUE(life.store(id, 200'000));
    store.stored.emplace(id, life.listener.blocks.at(key_of(id)));
  }
}

TEST(DiskRecovery, one_damaged_superblock_copy_is_made_good_by_the_other_3f) {
  for (const uint64_t copy : {0, 1}) {
    Damaged store;
    make_store(store);
    ASSERT_TRUE(store.disk.fill("/a/superblock", copy * kPage, kPage, std::byte{0xFF}));
    Life life(store.disk);
    life.must_open();
    for (uint64_t id = 1; id <= 20; ++id) EXPECT_TRUE(life.check(id)) << id;
  }
}

TEST(DiskRecovery, without_superblock_the_store_is_rebuilt_from_segment_headers_3f) {
  Damaged store;
  make_store(store);
  ASSERT_TRUE(store.disk.fill("/a/superblock", 0, 3 * kPage, std::byte{0}));
  Life life(store.disk);
  life.must_open();
  for (uint64_t id = 1; id <= 20; ++id) EXPECT_TRUE(life.check(id)) << id;
  ASSERT_TRUE(life.store_evicting(100, 200'000));
  EXPECT_TRUE(life.check(100));
}

// Its sum has no secret: whoever writes the file can make it right.
TEST(DiskRecovery, a_superblock_whose_segments_have_an_impossible_size_is_damage_P12) {
  for (const uint64_t bytes : {uint64_t{0}, uint64_t{1}, kSegmentBytesMin + 1, 2 * kSegmentBytesMax}) {
    Damaged store;
    make_store(store);
    auto file = *store.disk.contents("/a/superblock");
    for (const uint64_t copy : {0, 1}) {
      auto superblock = base::load_le<Superblock>(file.data() + copy * kPage);
      superblock.segment_bytes = bytes;
      seal(superblock, std::span(file).subspan(copy * kPage, kPage));
    }
    ASSERT_TRUE(store.disk.replace("/a/superblock", file));
    Life life(store.disk);
    life.must_open();
    for (uint64_t id = 1; id <= 20; ++id) EXPECT_TRUE(life.check(id)) << id << ", " << bytes;
  }
}

TEST(DiskRecovery, a_damaged_segment_is_neither_used_nor_deleted_and_counts_3f) {
  Damaged store;
  make_store(store);
  ASSERT_TRUE(store.disk.flip_bit("/a/000001.slots", 100));
  const auto before = *store.disk.contents("/a/000001.slots");
  Life life(store.disk);
  life.must_open();
  uint64_t found = 0;
  for (const auto& [id, block] : store.stored) {
    const bool damaged = (block.where.segment & 0xFFFFFF) == 1;
    EXPECT_EQ(life.listener.blocks.contains(key_of(id)), !damaged) << id;
    found += !damaged;
  }
  EXPECT_LT(found, 20u);
  EXPECT_EQ(life.tier->status().state, State::kDegraded);
  for (uint64_t id = 100; id <= 150; ++id) ASSERT_TRUE(life.store_evicting(id, 200'000));
  EXPECT_EQ(*store.disk.contents("/a/000001.slots"), before);
  EXPECT_LE(store.disk.used_bytes(), 8 * kMiB);
}

TEST(DiskRecovery, every_flipped_bit_of_superblock_and_slot_table_is_harmless_3f_P12) {
  Damaged store;
  make_store(store);
  const std::array<std::string, 3> files{"/a/superblock", "/a/000000.slots", "/a/namespaces"};
  base::Random random(3);
  for (int i = 0; i < 120; ++i) {
    const std::string& path = files[random.below(files.size())];
    const auto before = *store.disk.contents(path);
    if (before.empty()) continue;
    const uint64_t bits = std::min<uint64_t>(before.size(), 3 * kPage) * 8;
    const uint64_t bit = random.below(bits);
    ASSERT_TRUE(store.disk.flip_bit(path, bit));
    Life life(store.disk, small_options(), static_cast<uint64_t>(i));
    const auto opened = life.open();
    ASSERT_TRUE(opened) << path << " bit " << bit << ": " << opened.error().message;
    for (uint64_t id = 1; id <= 20; ++id) {
      if (!life.listener.blocks.contains(key_of(id))) continue;
      ASSERT_TRUE(life.check(id)) << path << " bit " << bit;
    }
    life.end();
    ASSERT_TRUE(store.disk.replace(path, before));
  }
}

TEST(DiskRecovery, files_cut_at_any_page_never_prevent_the_start_3f) {
  for (const std::string name : {"superblock", "000000.slots", "000000.data", "namespaces", "LOCK"}) {
    for (int pages = 0; pages < 4; ++pages) {
      Damaged store;
      make_store(store);
      auto bytes = *store.disk.contents("/a/" + name);
      bytes.resize(
          std::min<size_t>(bytes.size(), static_cast<size_t>(pages) * kPage + (pages == 2 ? 100 : 0)));
      ASSERT_TRUE(store.disk.replace("/a/" + name, bytes));
      Life life(store.disk);
      const auto opened = life.open();
      ASSERT_TRUE(opened) << name << " at page " << pages << ": " << opened.error().message;
      for (uint64_t id = 1; id <= 20; ++id) {
        if (!life.listener.blocks.contains(key_of(id))) continue;
        EXPECT_TRUE(life.check(id)) << name << " at page " << pages;
      }
      ASSERT_TRUE(life.store_evicting(100, 200'000));
      EXPECT_TRUE(life.check(100));
    }
  }
}

TEST(DiskRecovery, a_segment_of_another_store_is_not_used_P1) {
  Damaged store;
  make_store(store);
  io::SimDisk other({.seed = 99});
  {
    Life life(other);
    life.must_open();
    ASSERT_TRUE(life.store(1, 200'000));
  }
  for (const std::string name : {"/a/000002.slots", "/a/000002.data"}) {
    ASSERT_TRUE(store.disk.replace(
        name, *other.contents(name == "/a/000002.slots" ? "/a/000000.slots" : "/a/000000.data")));
  }
  Life life(store.disk);
  life.must_open();
  for (const auto& [id, block] : store.stored) {
    if ((block.where.segment & 0xFFFFFF) != 2) {
      EXPECT_TRUE(life.check(id));
    } else {
      EXPECT_FALSE(life.listener.blocks.contains(key_of(id)));
    }
  }
}

TEST(DiskRecovery, a_lowered_capacity_is_kept_D2) {
  Damaged store;
  make_store(store);
  Life life(store.disk, small_options({"/a"}, 3 * kMiB));
  life.must_open();
  EXPECT_LE(store.disk.used_bytes(), 3 * kMiB);
  uint64_t found = 0;
  for (uint64_t id = 1; id <= 20; ++id) found += life.check(id).has_value();
  EXPECT_GT(found, 5u);
}

TEST(DiskRecovery, duplicates_that_are_not_wanted_free_their_slots) {
  io::SimDisk disk;
  {
    Life life(disk);
    life.must_open();
    ASSERT_TRUE(life.store(1, 50'000));
    life.evict(key_of(1));
    ASSERT_TRUE(life.store(9, 50'000));  // takes the freed slot
    ASSERT_TRUE(life.store(1, 50'000));
    life.listener.blocks.erase(key_of(9));
    ASSERT_TRUE(life.store(1, 50'000));  // a second copy: the contract does not forbid it
    life.kill();
  }
  Life life(disk);
  life.must_open();
  EXPECT_EQ(life.listener.blocks.size(), 2u);
  EXPECT_EQ(life.tier->status().usage.blocks, 2u);
  EXPECT_TRUE(life.check(1));
}

}  // namespace
}  // namespace terrace::tier::disk::test
