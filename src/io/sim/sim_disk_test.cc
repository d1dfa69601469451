#include "io/sim/sim_disk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

#include "io/sim/sim_file_system.h"
#include "io/test_support.h"

namespace terrace::io {
namespace {

using test::Buffer;
using testing::ElementsAre;

constexpr uint64_t kPage = 4096;

class Disk : public testing::Test {
 protected:
  Disk() { start(); }
  void start() { files_ = std::make_unique<SimFileSystem>(disk_); }
  std::unique_ptr<File> open(const std::string& path) {
    auto file = files_->open(path, {.create = true, .direct = true});
    EXPECT_TRUE(file);
    return std::move(*file);
  }
  Buffer read(File& file, uint64_t page, uint64_t pages = 1) {
    Buffer memory(pages * kPage);
    EXPECT_TRUE(files_->read(file, page * kPage, memory.span()));
    return memory;
  }
  void crash(uint64_t seed) {
    base::Random random(seed);
    disk_.crash(random);
    start();
  }

  SimDisk disk_{{.capacity = 1 << 20}};
  std::unique_ptr<SimFileSystem> files_;
  Buffer zeros_{kPage}, one_{kPage, 1}, two_{kPage, 2};
};

TEST_F(Disk, reads_back_what_was_written_and_zeros_elsewhere) {
  const auto file = open("file");
  ASSERT_TRUE(files_->write(*file, 3 * kPage, one_.span()));
  EXPECT_EQ(read(*file, 3), one_);
  EXPECT_EQ(read(*file, 1), zeros_);
  EXPECT_EQ(files_->read(*file, 4 * kPage, zeros_.span()).error().code, Code::kCorrupt);
}

TEST_F(Disk, counts_the_bytes_it_holds_exactly) {
  const auto file = open("file");
  ASSERT_TRUE(files_->write(*file, 7 * kPage, one_.span()));
  EXPECT_EQ(disk_.used_bytes(), kPage);
  ASSERT_TRUE(files_->allocate(*file, 4 * kPage));
  EXPECT_EQ(disk_.used_bytes(), 4 * kPage);
  ASSERT_TRUE(files_->write(*file, 2 * kPage, one_.span()));
  EXPECT_EQ(disk_.used_bytes(), 4 * kPage);
  ASSERT_TRUE(files_->write(*file, 6 * kPage, one_.span()));
  EXPECT_EQ(disk_.used_bytes(), 5 * kPage);
  ASSERT_TRUE(files_->allocate(*file, 8 * kPage));
  EXPECT_EQ(disk_.used_bytes(), 8 * kPage);
  EXPECT_EQ(files_->stat("file")->allocated_bytes, 8 * kPage);
}

TEST_F(Disk, counts_what_wears_it) {
  const auto file = open("/f");
  ASSERT_TRUE(files_->write(*file, 0, Buffer(2 * kPage).span()));
  ASSERT_TRUE(files_->write(*file, 0, Buffer(2 * kPage).span()));
  EXPECT_EQ(disk_.written_bytes(), 4 * kPage) << "whole pages, each time";
  const std::array<std::byte, 256> entry{};
  const auto buffered = files_->open("/f", {});
  ASSERT_TRUE(buffered && files_->sync(*file));
  ASSERT_TRUE(files_->write(**buffered, 0, entry));
  ASSERT_TRUE(files_->write(**buffered, 256, entry));
  EXPECT_EQ(disk_.written_bytes(), 5 * kPage) << "less than a page once, until the sync";
  ASSERT_TRUE(files_->sync(**buffered));
  ASSERT_TRUE(files_->write(**buffered, 512, entry));
  EXPECT_EQ(disk_.written_bytes(), 6 * kPage);
}

TEST_F(Disk, is_full_at_its_capacity_and_recovers_with_it) {
  const auto file = open("file");
  ASSERT_TRUE(files_->allocate(*file, 1 << 20));
  const auto other = open("other");
  EXPECT_EQ(files_->write(*other, 0, one_.span()).error().code, Code::kNoSpace);
  EXPECT_EQ(files_->allocate(*other, kPage).error().code, Code::kNoSpace);
  disk_.set_capacity(2 << 20);
  EXPECT_TRUE(files_->write(*other, 0, one_.span()));
}

TEST_F(Disk, holds_a_removed_file_until_it_is_closed) {
  auto file = open("file");
  ASSERT_TRUE(files_->allocate(*file, 8 * kPage));
  ASSERT_TRUE(files_->remove("file"));
  EXPECT_EQ(files_->stat("file").error().code, Code::kNotFound);
  EXPECT_EQ(disk_.used_bytes(), 8 * kPage);
  EXPECT_TRUE(files_->write(*file, 0, one_.span()));
  file.reset();
  EXPECT_EQ(disk_.used_bytes(), 0u);
}

TEST_F(Disk, kill_keeps_everything_written_and_ends_the_old_life) {
  const auto file = open("file");
  ASSERT_TRUE(files_->write(*file, 0, one_.span()));
  const auto boot = files_->boot_id();
  const auto old_life = std::move(files_);
  disk_.kill();
  start();
  EXPECT_EQ(old_life->write(*file, 0, two_.span()).error().code, Code::kClosed);
  EXPECT_EQ(old_life->remove("file").error().code, Code::kClosed);
  EXPECT_EQ(read(*open("file"), 0), one_);
  EXPECT_EQ(files_->boot_id(), boot);
}

TEST_F(Disk, crash_is_another_boot) {
  const auto boot = files_->boot_id();
  crash(1);
  EXPECT_NE(files_->boot_id(), boot);
}

TEST_F(Disk, crash_never_touches_what_was_synced) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    const std::string name = "file" + std::to_string(seed);
    auto file = open(name);
    ASSERT_TRUE(files_->write(*file, 0, one_.span()));
    ASSERT_TRUE(files_->sync(*file));
    ASSERT_TRUE(files_->sync_directory("."));
    file.reset();
    crash(seed);
    EXPECT_EQ(read(*open(name), 0), one_);
    ASSERT_TRUE(files_->remove(name));
    ASSERT_TRUE(files_->sync_directory("."));
  }
}

TEST_F(Disk, crash_keeps_drops_or_tears_each_unsynced_page) {
  std::set<std::string> kinds;
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    auto file = open("file");
    ASSERT_TRUE(files_->write(*file, 0, one_.span()));
    ASSERT_TRUE(files_->sync(*file));
    ASSERT_TRUE(files_->sync_directory("."));
    ASSERT_TRUE(files_->write(*file, 0, two_.span()));
    file.reset();
    crash(seed);
    file = open("file");
    Buffer now = read(*file, 0);
    for (size_t sector = 0; sector < kPage; sector += 512) {
      const auto piece = [sector](Buffer& page) { return page.span().subspan(sector, 512); };
      EXPECT_TRUE(std::ranges::equal(piece(now), piece(one_)) || std::ranges::equal(piece(now), piece(two_)));
    }
    kinds.insert(now == one_ ? "dropped" : now == two_ ? "kept" : "torn");
  }
  EXPECT_THAT(kinds, ElementsAre("dropped", "kept", "torn"));
}

TEST_F(Disk, crash_may_forget_new_names_and_bring_removed_ones_back) {
  std::set<bool> created, removed;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    {
      const auto file = open("old");
    }
    ASSERT_TRUE(files_->sync_directory("."));
    ASSERT_TRUE(files_->remove("old"));
    {
      const auto file = open("new");
    }
    crash(seed);
    created.insert(files_->stat("new").has_value());
    removed.insert(!files_->stat("old").has_value());
    (void)files_->remove("new");
    ASSERT_TRUE(files_->sync_directory("."));
  }
  EXPECT_EQ(created.size(), 2u);
  EXPECT_EQ(removed.size(), 2u);
}

TEST_F(Disk, crash_may_forget_an_allocation) {
  std::set<uint64_t> lengths;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    auto file = open("file");
    ASSERT_TRUE(files_->allocate(*file, kPage));
    ASSERT_TRUE(files_->sync(*file));
    ASSERT_TRUE(files_->sync_directory("."));
    ASSERT_TRUE(files_->allocate(*file, 9 * kPage));
    file.reset();
    crash(seed);
    lengths.insert(files_->stat("file")->bytes);
    EXPECT_EQ(disk_.used_bytes(), files_->stat("file")->allocated_bytes);
  }
  EXPECT_THAT(lengths, ElementsAre(kPage, 9 * kPage));
}

TEST_F(Disk, crashes_alike_with_the_same_seed) {
  const auto run = [](uint64_t seed) {
    SimDisk disk;
    SimFileSystem files(disk);
    base::Random random(seed);
    {
      const auto file = files.open("file", {.create = true});
      for (uint64_t i = 0; i < 100; ++i) {
        Buffer page(kPage, 1 + random.below(1000));
        EXPECT_TRUE(files.write(**file, random.below(50) * kPage, page.span()));
        EXPECT_TRUE(i != 50 || files.sync(**file));
      }
      EXPECT_TRUE(files.sync_directory("."));
    }
    disk.crash(random);
    return disk.hash();
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

TEST_F(Disk, lock_is_held_until_released_or_its_process_dies) {
  auto lock = files_->lock("lock");
  ASSERT_TRUE(lock);
  EXPECT_EQ(files_->lock("lock").error().code, Code::kInUse);
  EXPECT_TRUE(files_->lock_owner("lock"));
  lock->reset();
  auto old_lock = files_->lock("lock");
  ASSERT_TRUE(old_lock);
  disk_.kill();
  start();
  auto new_lock = files_->lock("lock");
  ASSERT_TRUE(new_lock);
  old_lock->reset();  // the dead process lets go of nothing
  EXPECT_EQ(files_->lock("lock").error().code, Code::kInUse);
}

TEST_F(Disk, has_directories) {
  EXPECT_EQ(files_->open("a/file", {.create = true}).error().code, Code::kNotFound);
  ASSERT_TRUE(files_->make_directory("/a/b/"));
  {
    const auto file = open("/a/b/file");
  }
  EXPECT_THAT(*files_->list("/a"), ElementsAre("b"));
  EXPECT_THAT(*files_->list("/a/b"), ElementsAre("file"));
  EXPECT_TRUE(files_->stat("/a/b")->is_directory);
  EXPECT_EQ(files_->open("/a/b", {}).error().code, Code::kForeign);
  EXPECT_EQ(files_->make_directory("/a/b/file").error().code, Code::kForeign);
  EXPECT_EQ(files_->open("/a/b/file", {.create = true, .exclusive = true}).error().code, Code::kInUse);
}

TEST_F(Disk, can_be_damaged_at_rest) {
  auto file = open("file");
  ASSERT_TRUE(files_->write(*file, 0, one_.span()));
  ASSERT_TRUE(files_->write(*file, kPage, two_.span()));
  ASSERT_TRUE(disk_.swap_pages("file", 0, 1));
  EXPECT_EQ(read(*file, 0), two_);
  EXPECT_EQ(read(*file, 1), one_);
  ASSERT_TRUE(disk_.flip_bit("file", 9));
  Buffer flipped = read(*file, 0);
  EXPECT_EQ(flipped.data()[1] ^ two_.data()[1], std::byte{2});
  ASSERT_TRUE(disk_.fill("file", 0, kPage, std::byte{0}));
  EXPECT_EQ(read(*file, 0), zeros_);
  EXPECT_EQ(disk_.fill("file", kPage, 2 * kPage, std::byte{0}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(disk_.flip_bit("none", 0).error().code, Code::kNotFound);
}

TEST_F(Disk, can_hold_another_file_in_a_files_place) {
  {
    const auto file = open("file");
  }
  ASSERT_TRUE(disk_.replace("file", one_.span()));
  crash(1);
  const auto contents = disk_.contents("file");
  ASSERT_TRUE(contents);
  EXPECT_TRUE(std::ranges::equal(*contents, one_.span()));
}

}  // namespace
}  // namespace terrace::io
