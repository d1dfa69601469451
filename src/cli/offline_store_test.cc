#include "cli/offline_store.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "io/posix_file_system.h"
#include "io/test_support.h"
#include "tier/disk/options.h"

namespace terrace::cli {
namespace {

namespace disk = tier::disk;
namespace fs = std::filesystem;

class OfflineStoreTest : public ::testing::Test {
 protected:
  OfflineStoreTest() {
    disk::Superblock superblock{.sequence = 2, .segment_bytes = disk::kSegmentBytesMin};
    std::vector<std::byte> page(disk::kPage);
    disk::seal(superblock, page);
    write("superblock", page, disk::kPage);
  }

  void write(const std::string& name, std::span<const std::byte> bytes, uint64_t length) {
    std::ofstream(folder_ / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    fs::resize_file(folder_ / name, length);
  }
  void write_table(disk::SegmentHeader header, uint64_t length) {
    std::vector<std::byte> page(disk::kPage);
    disk::seal(header, page);
    write("000000.slots", page, length);
    write("000000.data", page, disk::kPage);
  }
  // What is said of segment 0; ends the test where the directory cannot be read.
  std::vector<Damage> damage() {
    std::vector<Damage> found;
    io::PosixFileSystem files;
    const auto store = OfflineStore::open(files, folder_.string());
    if (store) (void)store->read_segment(0, found);
    EXPECT_TRUE(store.has_value());
    return found;
  }

  const io::test::TempDirectory scratch_;
  const fs::path folder_ = scratch_.path();
};

// Its sum has no secret: whoever writes the file can make it right.
TEST_F(OfflineStoreTest, segment_header_with_impossible_numbers_is_damage_and_not_followed_P12) {
  write_table({.slot_count = UINT32_MAX, .slot_bytes = disk::kPage, .segment_bytes = uint64_t{1} << 60},
              disk::kPage);
  const auto found = damage();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_NE(found[0].what.find("do not fit a segment"), std::string::npos) << found[0].what;
}

TEST_F(OfflineStoreTest, slot_table_of_any_length_is_read_in_bounded_memory_P12) {
  write_table({.slot_count = 1, .slot_bytes = disk::kPage, .segment_bytes = disk::kSegmentBytesMin},
              uint64_t{1} << 42);
  EXPECT_TRUE(damage().empty());
}

}  // namespace
}  // namespace terrace::cli
