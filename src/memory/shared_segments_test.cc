#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "memory/arena.h"
#include "memory/mapping.h"

namespace terrace::memory {
namespace {

constexpr uint64_t kBytes = 2 * base::kMiB;

// What `attempt` answers in a process of its own.
template <typename Attempt>
int in_another_process(Attempt attempt) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(attempt());
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

class SharedSegments : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = shared_segments()->map(kBytes);
    ASSERT_TRUE(made) << to_string(made.error());
    segment_ = std::move(*made);
    ASSERT_GE(segment_->fd(), 0);
  }
  std::unique_ptr<Segment> segment_;
};

TEST_F(SharedSegments, are_aligned_and_zero_and_say_what_pages_they_have) {
  const auto bytes = segment_->bytes();
  EXPECT_EQ(kBytes, bytes.size());
  EXPECT_EQ(0u, reinterpret_cast<uintptr_t>(bytes.data()) % kHugePage);
  segment_->populate();
  EXPECT_TRUE(std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; }));
  EXPECT_NE(std::string::npos, shared_segments()->page_state().find("pages"));
}

TEST_F(SharedSegments, show_one_process_what_another_wrote) {
  const int written = in_another_process([&] {
    const auto mine = Mapping::shared(segment_->fd(), kBytes, true);
    if (!mine) return 1;
    std::ranges::fill(mine->bytes(), std::byte{7});
    return 0;
  });
  ASSERT_EQ(0, written);
  EXPECT_TRUE(std::ranges::all_of(segment_->bytes(), [](std::byte b) { return b == std::byte{7}; }));
}

TEST_F(SharedSegments, cannot_be_grown_or_shrunk_by_anybody) {
  const auto resize = [&](off_t bytes) {
    return in_another_process([&] { return ::ftruncate(segment_->fd(), bytes) == 0 ? 0 : errno; });
  };
  EXPECT_EQ(EPERM, resize(0));
  EXPECT_EQ(EPERM, resize(2 * kBytes));
}

TEST_F(SharedSegments, once_sealed_are_read_by_all_and_written_only_by_who_mapped_them_before) {
  const auto owner = Mapping::shared(segment_->fd(), kBytes, true);
  ASSERT_TRUE(owner);
  ASSERT_TRUE(segment_->seal_writes());
  std::ranges::fill(owner->bytes(), std::byte{9});
  const int another = in_another_process([&] {
    if (Mapping::shared(segment_->fd(), kBytes, true)) return 1;
    if (::pwrite(segment_->fd(), "x", 1, 0) >= 0) return 2;
    const auto read = Mapping::shared(segment_->fd(), kBytes, false);
    if (!read || read->bytes()[5] != std::byte{9}) return 3;
    // Nor may a mapping that reads be made one that writes.
    if (::mprotect(read->bytes().data(), kBytes, PROT_READ | PROT_WRITE) == 0) return 4;
    return 0;
  });
  EXPECT_EQ(0, another);
  EXPECT_EQ(Code::kPermission, Mapping::shared(segment_->fd(), kBytes, true).error().code);
}

TEST_F(SharedSegments, refuse_sizes_no_machine_has) {
  EXPECT_EQ(Code::kNoMemory, shared_segments()->map(0).error().code);
  EXPECT_EQ(Code::kNoMemory, shared_segments()->map(uint64_t{1} << 60).error().code);
}

TEST(AnonymousSegment, is_not_sealed) {
  auto segment = anonymous_segments()->map(kBytes);
  ASSERT_TRUE(segment);
  EXPECT_EQ(-1, (*segment)->fd());
  EXPECT_EQ(Code::kUnsupported, (*segment)->seal_writes().error().code);
}

}  // namespace
}  // namespace terrace::memory
