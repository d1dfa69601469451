#include "memory/free_memory.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "memory/arena.h"

namespace terrace::memory {
namespace {

class FreeMemoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = ::testing::TempDir() + "terrace_free_memory_XXXXXX";
    ASSERT_NE(::mkdtemp(root_.data()), nullptr);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void write(const std::string& path, const std::string& text) {
    const auto file = std::filesystem::path(root_) / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  void write_machine(uint64_t total_kib, uint64_t available_kib) {
    write("proc/meminfo", "MemTotal:       " + std::to_string(total_kib) +
                              " kB\nMemFree:  1 kB\nMemAvailable:  " + std::to_string(available_kib) +
                              " kB\n");
  }

  std::string root_;
};

TEST_F(FreeMemoryTest, is_what_the_machine_has_available) {
  write_machine(4 << 20, 1 << 20);
  EXPECT_EQ(free_memory_below(root_).bytes, base::kGiB);
  EXPECT_EQ(free_memory_below(root_).spared, 4 * base::kGiB / 20);
}

TEST_F(FreeMemoryTest, is_what_the_closest_control_group_leaves) {
  write_machine(4 << 20, 1 << 20);
  write("proc/self/cgroup", "0::/outer/inner\n");
  write("sys/fs/cgroup/outer/memory.max", "1000000\n");
  write("sys/fs/cgroup/outer/memory.current", "400000\n");
  write("sys/fs/cgroup/outer/inner/memory.max", "max\n");
  write("sys/fs/cgroup/outer/inner/memory.current", "300000\n");
  EXPECT_EQ(free_memory_below(root_).bytes, 600'000u);
  write("sys/fs/cgroup/outer/inner/memory.max", "350000\n");
  EXPECT_EQ(free_memory_below(root_).bytes, 50'000u);
  write("sys/fs/cgroup/outer/memory.current", "1000001\n");
  EXPECT_EQ(free_memory_below(root_).bytes, 0u);
}

TEST_F(FreeMemoryTest, limits_nothing_where_it_cannot_be_read) {
  EXPECT_EQ(free_memory_below(root_).bytes, UINT64_MAX);
  EXPECT_EQ(free_memory_below(root_).spared, 0u);
}

TEST_F(FreeMemoryTest, of_this_machine_is_something) {
  EXPECT_GT(free_memory().bytes, 0u);
  EXPECT_LT(free_memory().bytes, UINT64_MAX);
}

TEST(SharedSegmentsOf, memory_that_is_not_free_are_refused_until_it_is) {
  FreeMemory free{3 * base::kMiB, 2 * base::kMiB};
  const auto source = shared_segments([&free] { return free; });
  if (source->page_state().contains("(hugetlb)")) GTEST_SKIP() << "huge pages are set aside on this machine";
  EXPECT_EQ(source->map(2 * base::kMiB).error().code, Code::kNoMemory);
  free.bytes = 4 * base::kMiB;
  EXPECT_TRUE(source->map(2 * base::kMiB));
}

}  // namespace
}  // namespace terrace::memory
