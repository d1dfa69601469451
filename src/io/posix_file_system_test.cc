#include "io/posix_file_system.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "io/file_size_signal.h"
#include "io/os_error.h"
#include "io/test_support.h"

namespace terrace::io {
namespace {

using test::Buffer;

class PosixFiles : public testing::Test {
 protected:
  mode_t mode_of(const std::string& path) {
    struct ::stat status{};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    return status.st_mode & 07777;
  }

  test::TempDirectory directory_;
  PosixFileSystem files_;
};

TEST_F(PosixFiles, are_private_to_the_user) {
  ASSERT_TRUE(files_.make_directory(directory_ / "a/b"));
  ASSERT_TRUE(files_.open(directory_ / "a/b/file", {.create = true}));
  EXPECT_EQ(mode_of(directory_ / "a"), 0700u);
  EXPECT_EQ(mode_of(directory_ / "a/b"), 0700u);
  EXPECT_EQ(mode_of(directory_ / "a/b/file"), 0600u);
}

TEST_F(PosixFiles, close_on_exec_and_do_not_stay_nonblocking) {
  const auto file = files_.open(directory_ / "file", {.create = true});
  ASSERT_TRUE(file);
  EXPECT_EQ(::fcntl((*file)->fd(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  EXPECT_EQ(::fcntl((*file)->fd(), F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(PosixFiles, direct_ones_state_the_alignment_of_the_device) {
  const auto file = files_.open(directory_ / "file", {.create = true, .direct = true});
  ASSERT_TRUE(file);
  if (!(*file)->direct()) GTEST_SKIP() << "this file system takes no O_DIRECT";
  EXPECT_GE((*file)->alignment(), 1u);
  EXPECT_EQ(4096 % (*file)->alignment(), 0u);
  EXPECT_EQ(::fcntl((*file)->fd(), F_GETFL) & O_DIRECT, O_DIRECT);
}

TEST_F(PosixFiles, buffered_ones_need_no_alignment) {
  const auto file = files_.open(directory_ / "file", {.create = true});
  ASSERT_TRUE(file);
  EXPECT_FALSE((*file)->direct());
  EXPECT_EQ((*file)->alignment(), 1u);
  Buffer out(1001, 1), back(1001);
  ASSERT_TRUE(files_.write(**file, 7, out.span()));
  ASSERT_TRUE(files_.read(**file, 7, back.span()));
  EXPECT_EQ(out, back);
}

TEST_F(PosixFiles, take_control_records_from_any_memory) {
  const auto file = files_.open(directory_ / "file", {.create = true, .direct = true});
  Buffer out(4097, 1), back(4097);
  ASSERT_TRUE(files_.write(**file, 4096, out.span().subspan(1)));
  ASSERT_TRUE(files_.sync(**file));
  ASSERT_TRUE(files_.read(**file, 4096, back.span().subspan(1)));
  EXPECT_TRUE(std::ranges::equal(out.span().subspan(1), back.span().subspan(1)));
  EXPECT_EQ(files_.read(**file, 8192, back.span().first(4096)).error().code, Code::kCorrupt);
}

TEST_F(PosixFiles, are_not_opened_through_a_symbolic_link) {
  ASSERT_TRUE(files_.open(directory_ / "file", {.create = true}));
  ASSERT_EQ(::symlink((directory_ / "file").c_str(), (directory_ / "link").c_str()), 0);
  EXPECT_EQ(files_.open(directory_ / "link", {}).error().code, Code::kForeign);
}

TEST_F(PosixFiles, are_regular_or_refused_without_waiting) {
  ASSERT_EQ(::mkfifo((directory_ / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(files_.open(directory_ / "fifo", {.read_only = true}).error().code, Code::kForeign);
  ASSERT_TRUE(files_.make_directory(directory_ / "directory"));
  EXPECT_EQ(files_.open(directory_ / "directory", {}).error().code, Code::kForeign);
  EXPECT_EQ(files_.open(directory_ / "directory", {.read_only = true}).error().code, Code::kForeign);
}

TEST_F(PosixFiles, missing_and_existing_ones_are_told_apart) {
  EXPECT_EQ(files_.open(directory_ / "file", {}).error().code, Code::kNotFound);
  EXPECT_EQ(files_.stat(directory_ / "file").error().code, Code::kNotFound);
  EXPECT_EQ(files_.remove(directory_ / "file").error().code, Code::kNotFound);
  ASSERT_TRUE(files_.open(directory_ / "file", {.create = true, .exclusive = true}));
  EXPECT_EQ(files_.open(directory_ / "file", {.create = true, .exclusive = true}).error().code, Code::kInUse);
  ASSERT_TRUE(files_.remove(directory_ / "file"));
  EXPECT_EQ(files_.open(directory_ / "file", {}).error().code, Code::kNotFound);
}

TEST_F(PosixFiles, reserve_their_space_and_give_it_back) {
  const auto file = files_.open(directory_ / "file", {.create = true});
  ASSERT_TRUE(files_.allocate(**file, 1 << 20));
  EXPECT_EQ(files_.stat(directory_ / "file")->bytes, 1u << 20);
  EXPECT_GE(files_.stat(directory_ / "file")->allocated_bytes, 1u << 20);
  ASSERT_TRUE(files_.allocate(**file, 4096));
  EXPECT_EQ(files_.stat(directory_ / "file")->bytes, 4096u);
  EXPECT_LT(files_.stat(directory_ / "file")->allocated_bytes, 1u << 16);
}

TEST_F(PosixFiles, keep_their_length_when_space_cannot_be_reserved) {
  const auto file = files_.open(directory_ / "file", {.create = true});
  ASSERT_TRUE(files_.allocate(**file, 8192));
  EXPECT_FALSE(files_.allocate(**file, 1ull << 60));
  EXPECT_EQ(files_.stat(directory_ / "file")->bytes, 8192u);
}

TEST_F(PosixFiles, are_listed_by_name) {
  ASSERT_TRUE(files_.open(directory_ / "b", {.create = true}));
  ASSERT_TRUE(files_.open(directory_ / "a", {.create = true}));
  ASSERT_TRUE(files_.make_directory(directory_ / "c"));
  EXPECT_THAT(*files_.list(directory_.path()), testing::ElementsAre("a", "b", "c"));
  EXPECT_EQ(files_.list(directory_ / "none").error().code, Code::kNotFound);
  EXPECT_TRUE(files_.stat(directory_ / "c")->is_directory);
  EXPECT_TRUE(files_.sync_directory(directory_.path()));
}

TEST_F(PosixFiles, directories_may_exist_but_not_as_a_file) {
  EXPECT_TRUE(files_.make_directory(directory_.path()));
  EXPECT_TRUE(files_.make_directory(directory_.path() + "/"));
  ASSERT_TRUE(files_.open(directory_ / "file", {.create = true}));
  EXPECT_EQ(files_.make_directory(directory_ / "file").error().code, Code::kForeign);
  EXPECT_EQ(files_.make_directory(directory_ / "file/below").error().code, Code::kForeign);
}

TEST_F(PosixFiles, lock_excludes_others_and_names_its_owner) {
  auto lock = files_.lock(directory_ / "lock");
  ASSERT_TRUE(lock);
  EXPECT_EQ(files_.lock(directory_ / "lock").error().code, Code::kInUse);
  EXPECT_EQ(*files_.lock_owner(directory_ / "lock"), ::getpid());
  lock->reset();
  EXPECT_EQ(files_.lock_owner(directory_ / "lock").error().code, Code::kNotFound);
  EXPECT_TRUE(files_.lock(directory_ / "lock"));
}

TEST_F(PosixFiles, lock_of_a_dead_process_is_free) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto lock = files_.lock(directory_ / "lock");
    ::_exit(lock ? (lock->release(), 0) : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  EXPECT_EQ(*files_.lock_owner(directory_ / "lock"), child);
  EXPECT_TRUE(files_.lock(directory_ / "lock"));
}

// Where nothing can be written, as on a full device: the lock holds, it only names nobody.
TEST_F(PosixFiles, lock_needs_no_room) {
  const pid_t child = ::fork();
  if (child == 0) {
    const FileSizeSignalHeld held;
    const rlimit none{.rlim_cur = 0, .rlim_max = 0};
    if (::setrlimit(RLIMIT_FSIZE, &none) != 0) ::_exit(2);
    auto lock = files_.lock(directory_ / "lock");
    const bool excludes = lock && files_.lock(directory_ / "lock").error().code == Code::kInUse;
    ::_exit(excludes && !files_.lock_owner(directory_ / "lock") ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(PosixFiles, boot_id_stays_and_random_bytes_do_not) {
  EXPECT_EQ(files_.boot_id(), PosixFileSystem().boot_id());
  std::array<uint8_t, 16> one{}, other{};
  files_.random_bytes(one);
  files_.random_bytes(other);
  EXPECT_NE(one, other);
}

TEST(OsError, maps_what_callers_act_on) {
  EXPECT_EQ(code_of_errno(ENOSPC), Code::kNoSpace);
  EXPECT_EQ(code_of_errno(EDQUOT), Code::kNoSpace);
  EXPECT_EQ(code_of_errno(EROFS), Code::kPermission);
  EXPECT_EQ(code_of_errno(ENOENT), Code::kNotFound);
  EXPECT_EQ(code_of_errno(EIO), Code::kIo);
  EXPECT_EQ(code_of_errno(ENOMEM), Code::kNoMemory);
}

}  // namespace
}  // namespace terrace::io
