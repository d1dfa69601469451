// What the client makes of answers that come together with the server's end: the test plays the server.
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <string>
#include <thread>

#include <gmock/gmock.h>

#include "io/test_support.h"
#include "server/test_client.h"
#include "wire/frame_socket.h"
#include "wire/socket_address.h"

namespace terrace::server_tests {
namespace {

using ::testing::ElementsAre;

class PlayedServer : public ::testing::Test {
 protected:
  using Builder = flatbuffers::FlatBufferBuilder;

  void SetUp() override {
    const auto address = wire::socket_address(path_);
    ASSERT_EQ(::bind(listener_.get(), wire::generic(*address), sizeof *address), 0);
    ASSERT_EQ(::listen(listener_.get(), 4), 0);
    std::jthread greeter([this] { greet(); });
    client_.emplace(path_);
    ASSERT_TRUE(client_->connected()) << client_->message;
  }
  void greet() {
    session_.emplace(io::Descriptor(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)));
    const uint64_t id = next_request();
    answer(id, wire::Body::Welcome, [](Builder& builder) {
      return wire::CreateWelcome(builder, wire::kMajor, wire::kMinor, 1, 0, 1 << 20, 1000);
    });
  }
  uint64_t next_request() {
    for (;;) {
      auto received = session_->receive();
      if (!received) return 0;
      if (*received) return (*received)->message->id();
    }
  }
  template <class Make>
  void answer(uint64_t id, wire::Body type, const Make& make, bool with_memory = false) {
    Builder builder;
    const auto body = make(builder).Union();
    const std::vector<wire::Memory> memories(with_memory ? 1 : 0, wire::Memory(1, kMemoryBytes, false));
    wire::finish(builder, id, type, body, builder.CreateVectorOfStructs(memories));
    const int fd = memory_.get();
    ASSERT_TRUE(session_->send(builder, std::span(&fd, with_memory ? 1 : 0)));
  }
  void close() { session_.reset(); }

  static constexpr uint64_t kMemoryBytes = 2 << 20;
  const io::test::TempDirectory directory_;
  const std::string path_ = directory_.path() + "/socket";
  const io::Descriptor listener_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const io::Descriptor memory_{::memfd_create("played", MFD_CLOEXEC)};
  std::optional<wire::FrameSocket> session_;
  std::optional<TestClient> client_;
};

TEST_F(PlayedServer, that_answers_a_get_and_ends_at_once_was_away) {
  ASSERT_EQ(::ftruncate(memory_.get(), kMemoryBytes), 0);
  auto get = (*client_)->get_async(keys_of(1, 1), {});
  ASSERT_TRUE(get);
  answer(
      next_request(), wire::Body::Delivered,
      [](Builder& builder) {
        const auto places = builder.CreateVectorOfStructs(std::vector{wire::Place(1, 0, 100)});
        return wire::CreateDelivered(builder, 1, places, builder.CreateVector(std::vector<uint16_t>{0}));
      },
      true);
  close();
  ASSERT_TRUE(get->ready());
  const auto blocks = get->take();
  ASSERT_TRUE(blocks);
  // Read before the end, or with it: what stands in memory of ours is right, and else it is away.
  if (blocks->size() == 1) {
    EXPECT_EQ((*blocks)[0].bytes.size(), 100u);
  } else {
    EXPECT_EQ(blocks->reasons()[0], MissReason::kTierUnavailable);
  }
}

TEST_F(PlayedServer, that_gives_no_reason_for_a_miss_is_not_believed_Q5) {
  using Reasons = std::vector<uint8_t>;
  for (const Reasons& reasons : {Reasons{}, Reasons{15, 15, 15}, Reasons{1, 15}, Reasons{0, 15, 15}}) {
    auto get = (*client_)->get_async(keys_of(1, 3), {});
    ASSERT_TRUE(get);
    answer(next_request(), wire::Body::Delivered, [&](Builder& builder) {
      return wire::CreateDelivered(builder, 0, 0, 0, builder.CreateVector(reasons));
    });
    ASSERT_TRUE(get->ready());
    const auto blocks = get->take();
    ASSERT_TRUE(blocks);
    EXPECT_THAT(blocks->reasons(),
                ElementsAre(MissReason::kTierUnavailable, MissReason::kBehindHole, MissReason::kBehindHole));
  }
}

TEST_F(PlayedServer, that_knows_more_reasons_than_the_client_is_understood) {
  auto get = (*client_)->get_async(keys_of(1, 2), {});
  ASSERT_TRUE(get);
  answer(next_request(), wire::Body::Delivered, [](Builder& builder) {
    return wire::CreateDelivered(builder, 0, 0, 0, builder.CreateVector(std::vector<uint8_t>{200, 15}));
  });
  ASSERT_TRUE(get->ready());
  EXPECT_THAT(get->take()->reasons(), ElementsAre(MissReason::kUnknown, MissReason::kBehindHole));
}

TEST_F(PlayedServer, that_refuses_says_why_in_its_own_words) {
  const auto refusal_of = [this](const char* words, Code code = Code::kLimitExceeded) {
    std::jthread player([&] {
      answer(next_request(), wire::Body::Failed, [&](Builder& builder) {
        return wire::CreateFailed(builder, static_cast<uint8_t>(code), builder.CreateString(words));
      });
    });
    return (*client_)->lookup(keys_of(1, 1)).error();
  };
  const Error error = refusal_of("a batch has\n65536 keys");
  EXPECT_EQ(error.code, Code::kLimitExceeded);
  EXPECT_STREQ(error.what, "the server: a batch has?65536 keys");
  EXPECT_EQ(refusal_of("a batch has\n65536 keys").what, error.what) << "kept once";
  EXPECT_EQ(refusal_of("of a later version", static_cast<Code>(200)).code, Code::kInternal);
  for (int i = 0; i < 300; ++i) EXPECT_EQ(refusal_of(std::to_string(i).c_str()).code, Code::kLimitExceeded);
  EXPECT_STREQ(refusal_of("one more").what, "the server refused it") << "what is kept is bounded";
  EXPECT_STREQ(error.what, "the server: a batch has?65536 keys");
}

TEST_F(PlayedServer, that_gives_memory_back_and_ends_at_once_gave_it_back_once) {
  ASSERT_EQ(::ftruncate(memory_.get(), kMemoryBytes), 0);
  Result<RegionId> region;
  {
    std::jthread player([this] {
      answer(next_request(), wire::Body::Registered,
             [](Builder& builder) { return wire::CreateRegistered(builder, 1); });
    });
    region = (*client_)->register_shared_region(memory_.get(), 0, kMemoryBytes);
  }
  ASSERT_TRUE(region);
  const auto queue = (*client_)->make_queue();
  const std::vector slices{RegionSlice{*region, 0, 100}};
  const auto into = (*client_)->get_into(keys_of(1, 1), slices, {}, {queue, 7});
  ASSERT_TRUE(into);
  const uint64_t id = next_request();
  answer(id, wire::Body::DeliveredInto, [](Builder& builder) {
    return wire::CreateDeliveredInto(builder, 1, builder.CreateVector(std::vector<uint16_t>{0}));
  });
  answer(id, wire::Body::MemoryReleased,
         [](Builder& builder) { return wire::CreateMemoryReleased(builder); });
  close();
  std::array<Completion, 8> events;
  ASSERT_EQ(queue->poll(events), 2u);
  EXPECT_EQ(events[0].kind, EventKind::kResult);
  EXPECT_EQ(events[1].kind, EventKind::kReleased);
  EXPECT_EQ(into->result().delivered, 1u);
}

}  // namespace
}  // namespace terrace::server_tests
