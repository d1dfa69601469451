#include "io/transfer.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "io/test_support.h"

namespace terrace::io {
namespace {

class NoFile final : public File {
 public:
  explicit NoFile(bool direct = false) : File("none", -1, direct, direct ? 4096 : 1) {}
};

TEST(Transfer, goes_on_where_a_short_call_ended) {
  NoFile file;
  test::Buffer memory(300);
  const auto all = memory.span();
  Transfer transfer(
      test::request(IoOp::kRead, file, 1000, {all.subspan(0, 100), all.subspan(100, 100), all.subspan(200)}));
  EXPECT_EQ(transfer.vectors().size(), 3u);
  EXPECT_FALSE(transfer.advance(150));
  EXPECT_EQ(transfer.offset(), 1150u);
  ASSERT_EQ(transfer.vectors().size(), 2u);
  EXPECT_EQ(transfer.vectors()[0].iov_base, memory.data() + 150);
  EXPECT_EQ(transfer.vectors()[0].iov_len, 50u);
  EXPECT_TRUE(transfer.advance(150)->has_value());
}

TEST(Transfer, goes_on_at_an_aligned_place_of_a_direct_file) {
  NoFile file(true);
  test::Buffer memory(16384);
  Transfer transfer(test::request(IoOp::kWrite, file, 0, {memory.span()}));
  EXPECT_FALSE(transfer.advance(5000));
  EXPECT_EQ(transfer.offset(), 4096u);
  EXPECT_TRUE(transfer.advance(12288)->has_value());
}

TEST(Transfer, moves_no_more_than_a_piece_a_call) {
  NoFile file;
  test::Buffer memory(100);
  Transfer transfer(test::request(IoOp::kRead, file, 0, {memory.span().first(50), memory.span().subspan(50)}),
                    60);
  ASSERT_EQ(transfer.vectors().size(), 2u);
  EXPECT_EQ(transfer.vectors()[1].iov_len, 10u);
  EXPECT_FALSE(transfer.advance(60));
  EXPECT_EQ(transfer.vectors()[0].iov_len, 40u);
}

TEST(Transfer, ends_a_read_at_the_end_of_the_file_as_corrupt) {
  NoFile file;
  test::Buffer memory(100);
  Transfer transfer(test::request(IoOp::kRead, file, 0, {memory.span()}));
  EXPECT_FALSE(transfer.advance(99));
  EXPECT_EQ(transfer.advance(0)->error().code, Code::kCorrupt);
}

TEST(Transfer, ends_a_direct_read_at_a_ragged_end_as_corrupt) {
  NoFile file(true);
  test::Buffer memory(8192);
  Transfer transfer(test::request(IoOp::kRead, file, 0, {memory.span()}));
  std::optional<Result<void>> ended = transfer.advance(5000);
  int calls = 1;
  for (; !ended; ++calls) ended = transfer.advance(904);
  EXPECT_EQ(ended->error().code, Code::kCorrupt);
  EXPECT_LE(calls, kRetriesMax + 2);
}

TEST(Transfer, retries_interruptions_up_to_a_bound_and_starts_anew_after_progress) {
  NoFile file;
  test::Buffer memory(100);
  Transfer transfer(test::request(IoOp::kWrite, file, 0, {memory.span()}));
  for (int i = 0; i < kRetriesMax; ++i) EXPECT_FALSE(transfer.advance(i % 2 == 0 ? -EINTR : -EAGAIN));
  EXPECT_TRUE(transfer.is_retry());
  EXPECT_FALSE(transfer.advance(1));
  EXPECT_FALSE(transfer.is_retry());
  for (int i = 0; i < kRetriesMax; ++i) EXPECT_FALSE(transfer.advance(-EAGAIN));
  const auto ended = transfer.advance(-EAGAIN);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->error().code, Code::kIo);
  EXPECT_EQ(ended->error().sys_errno, EAGAIN);
}

TEST(Transfer, never_retries_a_failed_sync) {
  NoFile file;
  Transfer transfer(test::request(IoOp::kSync, file, 0, {}));
  EXPECT_EQ(transfer.advance(-EIO)->error().code, Code::kIo);
}

TEST(Transfer, drops_behind_large_transfers_of_buffered_files_only) {
  NoFile buffered, direct(true);
  test::Buffer memory(65536);
  EXPECT_EQ(drop_behind(test::request(IoOp::kRead, buffered, 0, {memory.span()})), DropBehind::kDropRange);
  EXPECT_EQ(drop_behind(test::request(IoOp::kWrite, buffered, 0, {memory.span()})),
            DropBehind::kStartWriteback);
  EXPECT_EQ(drop_behind(test::request(IoOp::kSync, buffered, 0, {})), DropBehind::kDropFile);
  EXPECT_EQ(drop_behind(test::request(IoOp::kRead, buffered, 0, {memory.span().first(4096)})),
            DropBehind::kNothing);
  EXPECT_EQ(drop_behind(test::request(IoOp::kRead, direct, 0, {memory.span()})), DropBehind::kNothing);
}

}  // namespace
}  // namespace terrace::io
