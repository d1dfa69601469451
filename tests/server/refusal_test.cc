// What a server refuses, and that nobody else notices.
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include <gmock/gmock.h>

#include "server/raw_client.h"
#include "server/server_fixture.h"

namespace terrace::server_tests {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class Refusals : public ServerTest {
 protected:
  // Until the server ends it: how many bytes came before.
  static size_t read_to_end(int socket) {
    std::array<std::byte, 4096> bytes;
    size_t total = 0;
    for (ssize_t got = 0; (got = ::read(socket, bytes.data(), bytes.size())) > 0;)
      total += static_cast<size_t>(got);
    return total;
  }
  std::string why_not() {
    const auto opened = server::Server::open(options_);
    return opened ? "it opened" : opened.error().message;
  }
};

TEST_F(Refusals, another_major_version_is_refused_by_name) {
  start();
  RawClient client(options_.socket);
  EXPECT_THAT(RawClient::refusal(client.hello(9)), AllOf(HasSubstr("version 9"), HasSubstr("version 1")));
  EXPECT_EQ(client.next(), nullptr) << "and the session ends";
}

TEST_F(Refusals, garbage_ends_its_own_session_and_no_other) {
  start();
  TestClient other(options_.socket);
  ASSERT_EQ(other.store(1, 2), 2u);
  const auto socket = raw_connection(options_.socket);
  const std::string garbage(1000, 'z');
  ASSERT_EQ(::write(socket.get(), garbage.data(), garbage.size()), 1000);
  EXPECT_GT(read_to_end(socket.get()), 0u) << "it is told why";
  EXPECT_EQ(other.lookup(1, 2), 2u);
}

TEST_F(Refusals, a_length_of_two_gigabytes_takes_no_memory_and_ends_the_session) {
  start();
  const auto socket = raw_connection(options_.socket);
  const auto header = wire::encode({0x7FFF'FFF8, 0});
  ASSERT_EQ(::write(socket.get(), header.data(), header.size()), static_cast<ssize_t>(header.size()));
  read_to_end(socket.get());
  EXPECT_TRUE(becomes([](const auto& stats) { return stats.sessions == 0; }));
}

TEST_F(Refusals, a_request_before_hello_is_refused) {
  start();
  RawClient client(options_.socket);
  const auto* const answer =
      client.ask(wire::Body::AskStats, [](auto& builder) { return wire::CreateAskStats(builder); });
  EXPECT_THAT(RawClient::refusal(answer), HasSubstr("Hello"));
}

TEST_F(Refusals, a_reservation_that_is_not_the_sessions_changes_nothing) {
  start();
  TestClient one(options_.socket);
  auto given = one.reserve(1, 1);
  ASSERT_EQ(given.size(), 1u);
  RawClient other(options_.socket);
  other.hello();
  const auto* const answer = other.ask(wire::Body::Commit, [](auto& builder) {
    return wire::CreateCommit(builder, builder.CreateVector(std::vector<uint64_t>{1}));
  });
  EXPECT_THAT(RawClient::refusal(answer), HasSubstr("no reservation 1"));
  EXPECT_EQ(one.lookup(1, 1), 0u);
  EXPECT_TRUE(one->commit(given));
}

TEST_F(Refusals, a_list_of_keys_that_the_server_does_not_remember_ends_the_session) {
  start();
  RawClient client(options_.socket);
  client.hello();
  const auto* const answer = client.ask(wire::Body::Lookup, [](auto& builder) {
    return wire::CreateLookup(builder, wire::CreateKeys(builder, 1, 100));
  });
  EXPECT_THAT(RawClient::refusal(answer), HasSubstr("fewer keys"));
  EXPECT_EQ(client.next(), nullptr);
}

TEST_F(Refusals, a_region_of_a_file_that_may_shrink) {
  start();
  TestClient client(options_.socket);
  const io::Descriptor open_file(::memfd_create("test", MFD_CLOEXEC));  // it can never be sealed
  ASSERT_EQ(::ftruncate(open_file.get(), 1 << 20), 0);
  EXPECT_EQ(client->register_shared_region(open_file.get(), 0, 1 << 20).error().code, Code::kPermission);
  const io::Descriptor file(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::ftruncate(file.get(), 1 << 20), 0);
  EXPECT_EQ(client->register_shared_region(file.get(), 0, 2 << 20).error().code, Code::kInvalidArgument);
  EXPECT_EQ(client->register_shared_region(file.get(), 0, 0).error().code, Code::kInvalidArgument);
  EXPECT_EQ(client->register_region(this, 1).error().code, Code::kUnsupported);
  EXPECT_TRUE(client->register_shared_region(file.get(), 0, 1 << 20));
  EXPECT_NE(::ftruncate(file.get(), 4096), 0) << "sealed by now";
}

// It is not listened to any more; others are.
TEST_F(Refusals, a_client_that_takes_no_answers_cannot_make_the_server_keep_them) {
  start();
  TestClient other(options_.socket);
  ASSERT_EQ(other.store(1, 2), 2u);
  RawClient deaf(options_.socket);
  deaf.hello();
  constexpr uint64_t kMuch = 1 << 30;  // its answers are far more than the server keeps
  uint64_t asked = 0;
  const std::vector<wire::Key> keys(4096, wire::wire_key(key_of(77)));
  while (deaf.socket().queued_bytes() == 0 && asked < kMuch) {
    deaf.say(wire::Body::Lookup, [&](auto& builder) {
      return wire::CreateLookup(builder,
                                wire::CreateKeys(builder, 0, 0, builder.CreateVectorOfStructs(keys)));
    });
    asked += keys.size() * sizeof(Key);
  }
  EXPECT_EQ(other.lookup(1, 2), 2u);
  EXPECT_LT(asked, kMuch) << "the server stopped reading";
}

// They wait for room that nobody gives; a removal is not behind them.
TEST_F(Refusals, clients_that_wait_for_room_do_not_hold_up_another_ones_removal) {
  start();
  TestClient hoarder(options_.socket), other(options_.socket);
  ASSERT_EQ(other.store(1, 2), 2u);
  std::vector<Reservation> hoard;
  for (uint32_t first = 1000; first < 2000; first += 10) {
    for (Reservation& given : hoarder.reserve(first, 10)) hoard.push_back(std::move(given));
  }
  constexpr uint32_t kWaiting = 8;
  std::vector<RawClient> waiting;
  for (uint32_t i = 0; i < kWaiting; ++i) {
    RawClient& client = waiting.emplace_back(options_.socket);
    client.hello();
    for (uint32_t request = 0; request < 3; ++request) {
      client.say(wire::Body::Reserve, [&](auto& builder) {
        const auto blocks = wire::write_blocks(builder, specs_of(5000 + 10 * i + request, 1));
        const wire::Key root = wire::wire_key(TestClient::root()), parent;
        return wire::CreateReserve(builder, &root, &parent, blocks, 5000);
      });
    }
    const auto* const answer =
        client.ask(wire::Body::AskStats, [](auto& builder) { return wire::CreateAskStats(builder); });
    ASSERT_EQ(answer->body_type(), wire::Body::Stats) << "the others wait";
  }
  EXPECT_TRUE(other->remove(keys_of(1, 2)));
  for (RawClient& client : waiting) EXPECT_FALSE(*client.socket().receive()) << "still";
}

// The event of a get that was answered at once comes later: it must not be taken for another request's.
TEST_F(Refusals, a_number_used_again_does_not_end_a_request_early) {
  TierOptions slow;
  slow.kind = TierOptions::Kind::kMock;
  slow.mock.latency = std::chrono::milliseconds(20);
  options_.store.tiers = {slow};
  start();
  TestClient other(options_.socket);
  ASSERT_EQ(other.store(1, 1), 1u);
  ASSERT_TRUE(other->set_l1_mode(L1Mode::kStaging));  // empties L1
  ASSERT_TRUE(other->set_l1_mode(L1Mode::kCache));
  ASSERT_EQ(other.store(2, 1), 1u);
  RawClient client(options_.socket);
  client.hello();
  const io::Descriptor file(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::ftruncate(file.get(), 1 << 20), 0);
  const int fd = file.get();
  client.say_as(
      7, wire::Body::RegisterRegion,
      [](auto& builder) { return wire::CreateRegisterRegion(builder, 0, 1 << 20); }, std::span(&fd, 1));
  const auto* const registered = client.next()->body_as_Registered();
  ASSERT_NE(registered, nullptr);
  const std::vector to{wire::Slice(registered->region(), 0, kBlock)};
  const auto list = [](auto& builder, uint32_t block) {
    const wire::Key key = wire::wire_key(key_of(block));
    return wire::CreateKeys(builder, 0, 0, builder.CreateVectorOfStructs(&key, 1));
  };
  constexpr int kRounds = 20;
  for (uint64_t id = 100; id < 100 + kRounds; ++id) {
    client.say_as(id, wire::Body::Get,
                  [&](auto& builder) { return wire::CreateGet(builder, list(builder, 2)); });
    client.say_as(id, wire::Body::GetInto, [&](auto& builder) {
      const auto keys = list(builder, 1);
      return wire::CreateGetInto(builder, keys, builder.CreateVectorOfStructs(to), 0,
                                 static_cast<int8_t>(WriteBack::kNever));
    });
    ASSERT_NE(client.next()->body_as_Delivered(), nullptr);
    const auto* const into = client.next()->body_as_DeliveredInto();
    ASSERT_NE(into, nullptr);
    EXPECT_EQ(into->delivered(), 1u);
    ASSERT_EQ(client.next()->body_type(), wire::Body::MemoryReleased);
  }
}

// --- starting

TEST_F(Refusals, a_second_server_at_the_same_socket) {
  start();
  EXPECT_THAT(why_not(), HasSubstr("another server listens"));
}

TEST_F(Refusals, a_dead_servers_socket_is_taken_over) {
  std::filesystem::create_directories(directory_ / "run");
  ::chmod((directory_ / "run").c_str(), 0700);
  const io::Descriptor stale(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = wire::socket_address(options_.socket);
  ASSERT_EQ(::bind(stale.get(), wire::generic(*address), sizeof *address), 0);
  start();
  EXPECT_TRUE(TestClient(options_.socket).connected());
}

TEST_F(Refusals, a_path_too_long_for_a_socket_is_named_with_what_is_allowed) {
  options_.socket = directory_ / std::string(200, 'x') / "socket";
  EXPECT_THAT(why_not(), HasSubstr("1 to 107"));
}

TEST_F(Refusals, a_directory_that_others_may_enter) {
  std::filesystem::create_directories(directory_ / "run");
  ::chmod((directory_ / "run").c_str(), 0755);
  EXPECT_THAT(why_not(), HasSubstr("mode 0755"));
}

TEST_F(Refusals, a_server_that_is_not_there_is_named) {
  const TestClient client(options_.socket);
  EXPECT_FALSE(client.connected());
  EXPECT_THAT(client.message, HasSubstr("nobody listens"));
}

}  // namespace
}  // namespace terrace::server_tests
