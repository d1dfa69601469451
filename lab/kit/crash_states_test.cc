#include "lab/kit/crash_states.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/virtual_executor.h"
#include "io/sim/sim_engine.h"
#include "io/sim/sim_file_system.h"
#include "lab/kit/short_engine.h"
#include "memory/page_buffer.h"

namespace terrace::lab {
namespace {

using Bytes = std::vector<std::byte>;

Bytes page_of(int value) {
  return Bytes(base::kPage, static_cast<std::byte>(value));
}

class CrashStatesTest : public testing::Test {
 protected:
  CrashStatesTest() : recording_(time_), sim_files_(disk_), files_(sim_files_, recording_) {
    (void)files_.make_directory("/d");
  }
  // The images a power cut may leave now.
  std::vector<Image> images(size_t most = 64) {
    CrashModel model(recording_);
    for (size_t position = 0; position < recording_.size(); position++) model.apply(position);
    const auto units = model.units();
    std::vector<Image> images;
    for (const auto& outcomes : choose_outcomes(units, most, random_)) {
      images.push_back(model.image(units, outcomes));
    }
    return images;
  }

  base::VirtualExecutor time_;
  io::SimDisk disk_;
  Recording recording_;
  io::SimFileSystem sim_files_;
  RecordingFileSystem files_;
  base::Random random_{1};
};

TEST_F(CrashStatesTest, what_was_synced_is_in_every_image) {
  auto file = files_.open("/d/a", {.create = true});
  ASSERT_TRUE(files_.write(**file, 0, page_of(1)) && files_.sync(**file) && files_.sync_directory("/d"));
  ASSERT_TRUE(files_.write(**file, base::kPage, page_of(2)));
  bool with = false, without = false;
  for (const Image& image : images()) {
    const Bytes& bytes = image.at("/d/a");
    ASSERT_GE(bytes.size(), base::kPage);
    EXPECT_EQ(bytes[0], std::byte{1});
    with = with || (bytes.size() == 2 * base::kPage && bytes[base::kPage] == std::byte{2});
    without = without || bytes.size() == base::kPage;
  }
  EXPECT_TRUE(with && without);
}

TEST_F(CrashStatesTest, names_that_were_not_synced_may_be_there_or_not) {
  auto file = files_.open("/d/a", {.create = true});
  ASSERT_TRUE(files_.write(**file, 0, page_of(1)) && files_.sync(**file));
  size_t named = 0;
  const auto all = images();
  for (const Image& image : all) named += image.size();
  EXPECT_TRUE(named > 0 && named < all.size());
}

TEST_F(CrashStatesTest, a_page_is_old_new_or_torn_and_never_newer_than_its_order_allows) {
  auto file = files_.open("/d/a", {.create = true});
  ASSERT_TRUE(files_.write(**file, 0, page_of(1)) && files_.sync(**file) && files_.sync_directory("/d"));
  ASSERT_TRUE(files_.write(**file, 0, page_of(2)));
  bool torn = false;
  for (int round = 0; round < 20; round++) {
    for (const Image& image : images()) {
      const Bytes& bytes = image.at("/d/a");
      for (size_t at = 0; at < bytes.size(); at += 512) {
        EXPECT_TRUE(std::all_of(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                                bytes.begin() + static_cast<std::ptrdiff_t>(at + 512),
                                [&](std::byte byte) { return byte == bytes[at]; }));
        EXPECT_TRUE(bytes[at] == std::byte{1} || bytes[at] == std::byte{2});
        torn = torn || bytes[at] != bytes[0];
      }
    }
  }
  EXPECT_TRUE(torn);
}

TEST_F(CrashStatesTest, a_sync_covers_only_what_had_ended_when_it_began) {
  auto file = files_.open("/d/a", {.create = true, .direct = true});
  ASSERT_TRUE(files_.allocate(**file, base::kPage) && files_.sync(**file) && files_.sync_directory("/d"));
  RecordingEngine engine(std::make_unique<io::SimEngine>(disk_, time_, time_), recording_);
  auto memory = memory::PageBuffer::make(base::kPage);
  std::ranges::fill(memory->bytes(), std::byte{7});
  io::IoRequest write;
  write.op = io::IoOp::kWrite;
  write.file = file->get();
  write.vec[0] = {memory->data(), base::kPage};
  write.done = [](Result<void>) {};
  io::IoRequest sync;
  sync.op = io::IoOp::kSync;
  sync.file = file->get();
  sync.done = [](Result<void>) {};
  engine.submit(std::span(&write, 1));
  engine.submit(std::span(&sync, 1));
  time_.run_until_idle();
  bool lost = false;
  for (const Image& image : images()) lost = lost || image.at("/d/a")[0] == std::byte{0};
  EXPECT_TRUE(lost);
}

TEST_F(CrashStatesTest, short_transfers_move_every_byte) {
  auto file = files_.open("/d/a", {.create = true, .direct = true});
  ASSERT_TRUE(files_.allocate(**file, 64 * base::kPage));
  const ShortTransfers how{.cut = 0.9, .interrupted = 0.3, .again = 0.3};
  ShortEngine engine(std::make_unique<io::SimEngine>(disk_, time_, time_), how, 1);
  auto memory = memory::PageBuffer::make(64 * base::kPage);
  for (size_t i = 0; i < memory->size(); i++) memory->bytes()[i] = static_cast<std::byte>(i / 512 * 37 + i);
  Result<void> ended = fail(Code::kInternal, "not yet");
  io::IoRequest write;
  write.op = io::IoOp::kWrite;
  write.file = file->get();
  write.vec[0] = {memory->data(), memory->size()};
  write.done = [&](Result<void> result) { ended = result; };
  engine.submit(std::span(&write, 1));
  time_.run_until_idle();
  ASSERT_TRUE(ended);
  const auto contents = disk_.contents("/d/a");
  ASSERT_TRUE(contents);
  EXPECT_TRUE(std::ranges::equal(*contents, memory->bytes()));
}

}  // namespace
}  // namespace terrace::lab
