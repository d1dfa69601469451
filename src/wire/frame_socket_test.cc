#include "wire/frame_socket.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>

#include <gtest/gtest.h>

namespace terrace::wire {
namespace {

class Frames : public ::testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> pair{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);
    raw_ = pair[0];
    near_.emplace(io::Descriptor(pair[0]));
    far_.emplace(io::Descriptor(pair[1]));
  }
  // Finishes a Failed of this text.
  static flatbuffers::FlatBufferBuilder message(uint64_t id, const std::string& text) {
    flatbuffers::FlatBufferBuilder builder;
    const auto failed = CreateFailedDirect(builder, 3, text.c_str());
    finish(builder, id, Body::Failed, failed.Union());
    return builder;
  }
  void write_raw(std::span<const std::byte> bytes) {
    ASSERT_EQ(::write(raw_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  static std::string text_of(const Message& message) {
    const auto* failed = message.body_as_Failed();
    return failed == nullptr || failed->message() == nullptr ? "" : failed->message()->str();
  }

  int raw_ = -1;
  std::optional<FrameSocket> near_, far_;
};

TEST_F(Frames, come_whole_and_in_order) {
  for (uint64_t id = 1; id <= 3; ++id) {
    auto builder = message(id, std::string(id * 1000, 'x'));
    ASSERT_TRUE(near_->send(builder));
  }
  for (uint64_t id = 1; id <= 3; ++id) {
    const auto got = far_->receive();
    ASSERT_TRUE(got && *got);
    EXPECT_EQ((*got)->message->id(), id);
    EXPECT_EQ(text_of(*(*got)->message).size(), id * 1000);
  }
  EXPECT_FALSE(*far_->receive());
}

TEST_F(Frames, a_frame_that_comes_one_byte_at_a_time_is_one_frame) {
  auto builder = message(7, "slow");
  for (const std::byte byte : frame_of(builder)) {
    const auto before = far_->receive();
    ASSERT_TRUE(before);
    ASSERT_FALSE(*before);
    write_raw(std::span(&byte, 1));
  }
  const auto got = far_->receive();
  ASSERT_TRUE(got && *got);
  EXPECT_EQ(text_of(*(*got)->message), "slow");
}

// FlatBuffers aligns nothing that is empty, and where it stands follows from what stands behind it.
TEST_F(Frames, lists_without_elements_are_whole_wherever_they_stand) {
  for (size_t outcomes = 0; outcomes < 9; ++outcomes) {
    flatbuffers::FlatBufferBuilder builder;
    const auto outcome_list = builder.CreateVector(std::vector<uint8_t>(outcomes, 1));
    const auto buffers = builder.CreateVectorOfStructs(std::vector<Buffer>{});
    finish(builder, 1, Body::Reserved, CreateReserved(builder, outcome_list, buffers).Union());
    ASSERT_TRUE(near_->send(builder));
    auto got = far_->receive();
    if (got && !*got) got = far_->receive();  // the end of the round before
    ASSERT_TRUE(got && *got) << outcomes;
    EXPECT_EQ((*got)->message->body_as_Reserved()->outcomes()->size(), outcomes);
  }
}

TEST_F(Frames, descriptors_come_with_the_frame_that_names_them) {
  const io::Descriptor file(::memfd_create("frame", MFD_CLOEXEC));
  ASSERT_EQ(::write(file.get(), "abc", 3), 3);
  auto plain = message(1, "none"), with = message(2, "one");
  ASSERT_TRUE(near_->send(plain));
  ASSERT_TRUE(near_->send(with, std::array{file.get()}));
  EXPECT_TRUE((*far_->receive())->descriptors.empty());
  const auto got = far_->receive();
  ASSERT_EQ((*got)->descriptors.size(), 1u);
  std::array<char, 3> text{};
  EXPECT_EQ(::pread((*got)->descriptors[0].get(), text.data(), 3, 0), 3);
}

// The kernel ends a read behind them.
TEST_F(Frames, what_stands_behind_descriptors_comes_in_the_same_round) {
  const io::Descriptor file(::memfd_create("sent", MFD_CLOEXEC));
  const int fd = file.get();
  for (uint64_t id = 1; id <= 4; ++id) {
    auto builder = message(id, "text");
    ASSERT_TRUE(near_->send(builder, std::span(&fd, id == 2 ? 1 : 0)));
  }
  for (uint64_t id = 1; id <= 4; ++id) {
    const auto got = far_->receive();
    ASSERT_TRUE(got && *got) << id;
    EXPECT_EQ((*got)->message->id(), id);
    EXPECT_EQ((*got)->descriptors.size(), id == 2 ? 1u : 0u);
  }
  EXPECT_FALSE(*far_->receive());
}

TEST_F(Frames, what_the_socket_does_not_take_is_queued_and_goes_on) {
  size_t sent = 0;
  while (near_->queued_bytes() == 0) {
    auto builder = message(++sent, std::string(100'000, 'x'));
    ASSERT_TRUE(near_->send(builder));
  }
  for (size_t id = 1; id <= sent; ++id) {
    auto got = far_->receive();
    ASSERT_TRUE(got);
    if (!*got) {
      ASSERT_TRUE(near_->flush());
      got = far_->receive();
    }
    ASSERT_TRUE(*got);
    EXPECT_EQ((*got)->message->id(), id);
    ASSERT_TRUE(near_->flush());
  }
  EXPECT_EQ(near_->queued_bytes(), 0u);
}

TEST_F(Frames, a_length_of_two_gigabytes_is_refused_before_any_memory_is_taken) {
  auto header = encode({0x7FFF'FFF8, 0});
  write_raw(header);
  EXPECT_EQ(far_->receive().error().code, Code::kLimitExceeded);
}

TEST_F(Frames, garbage_is_refused) {
  write_raw(std::vector<std::byte>(64, std::byte{0x5A}));
  EXPECT_EQ(far_->receive().error().code, Code::kCorrupt);
}

TEST_F(Frames, a_message_whose_offsets_point_outside_is_refused) {
  auto builder = message(1, "right");
  auto bytes = frame_of(builder);
  bytes[kHeaderBytes] = bytes[kHeaderBytes + 1] = std::byte{0xFF};
  write_raw(bytes);
  EXPECT_EQ(far_->receive().error().code, Code::kCorrupt);
}

TEST_F(Frames, a_message_that_names_a_body_and_has_none_is_refused) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(CreateMessage(builder, 1, Body::Reserve), MessageIdentifier());
  write_raw(frame_of(builder));
  EXPECT_EQ(far_->receive().error().code, Code::kCorrupt);
}

TEST_F(Frames, a_peer_that_ends_in_the_middle_of_a_frame_has_closed) {
  auto builder = message(1, "half");
  const auto bytes = frame_of(builder);
  write_raw(std::span(bytes).first(bytes.size() / 2));
  EXPECT_FALSE(*far_->receive());
  near_.reset();
  EXPECT_EQ(far_->receive().error().code, Code::kClosed);
}

}  // namespace
}  // namespace terrace::wire
