// What a server refuses, and that nobody else notices.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include <gmock/gmock.h>

#include "server/server_fixture.h"

namespace terrace::server_tests {
namespace {

using ::testing::HasSubstr;

class Refusals : public ServerTest {
 protected:
  // A connection whose bytes a test writes itself.
  io::Descriptor raw_connection() {
    io::Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, options_.socket.data(), options_.socket.size());
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return socket;
  }
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
  wire::FrameSocket socket(raw_connection());
  flatbuffers::FlatBufferBuilder builder;
  const auto hello = wire::CreateHelloDirect(builder, 9, 0, "from the future");
  builder.Finish(wire::CreateMessage(builder, 1, wire::Body::Hello, hello.Union()),
                 wire::MessageIdentifier());
  ASSERT_TRUE(socket.send(builder));
  for (;;) {
    const auto got = socket.receive();
    ASSERT_TRUE(got) << to_string(got.error());
    if (!*got) continue;
    const auto* failed = (*got)->message->body_as_Failed();
    ASSERT_NE(failed, nullptr);
    EXPECT_THAT(failed->message()->str(), HasSubstr("version 9"));
    EXPECT_THAT(failed->message()->str(), HasSubstr("version 1"));
    break;
  }
}

TEST_F(Refusals, garbage_ends_its_own_session_and_no_other) {
  start();
  TestClient other(options_.socket);
  ASSERT_EQ(other.store(1, 2), 2u);
  const auto socket = raw_connection();
  const std::string garbage(1000, 'z');
  ASSERT_EQ(::write(socket.get(), garbage.data(), garbage.size()), 1000);
  EXPECT_GT(read_to_end(socket.get()), 0u) << "it is told why";
  EXPECT_EQ(other.lookup(1, 2), 2u);
}

TEST_F(Refusals, a_length_of_two_gigabytes_takes_no_memory_and_ends_the_session) {
  start();
  const auto socket = raw_connection();
  const auto header = wire::encode({0x7FFF'FFF8, 0});
  ASSERT_EQ(::write(socket.get(), header.data(), header.size()), static_cast<ssize_t>(header.size()));
  read_to_end(socket.get());
  EXPECT_TRUE(becomes([](const auto& stats) { return stats.sessions == 0; }));
}

TEST_F(Refusals, a_request_before_hello_is_refused) {
  start();
  wire::FrameSocket socket(raw_connection());
  flatbuffers::FlatBufferBuilder builder;
  const auto lookup = wire::CreateLookup(builder);
  builder.Finish(wire::CreateMessage(builder, 1, wire::Body::Lookup, lookup.Union()),
                 wire::MessageIdentifier());
  ASSERT_TRUE(socket.send(builder));
  for (;;) {
    const auto got = socket.receive();
    ASSERT_TRUE(got);
    if (!*got) continue;
    EXPECT_NE((*got)->message->body_as_Failed(), nullptr);
    break;
  }
}

TEST_F(Refusals, a_reservation_that_is_not_the_sessions_changes_nothing) {
  start();
  TestClient one(options_.socket), other(options_.socket);
  const auto filling = one.reserve(1, 1);
  ASSERT_EQ(filling.size(), 1u);
  EXPECT_FALSE(other.commit_numbers({filling[0].reservation}));
  EXPECT_EQ(other.error, Code::kNotFound);
  EXPECT_EQ(other.lookup(1, 1), 0u);
  EXPECT_TRUE(one.commit(filling));
}

// It is not listened to any more; others are.
TEST_F(Refusals, a_client_that_takes_no_answers_cannot_make_the_server_keep_them) {
  start();
  TestClient other(options_.socket);
  ASSERT_EQ(other.store(1, 2), 2u);
  wire::FrameSocket socket(raw_connection());
  flatbuffers::FlatBufferBuilder builder;
  const auto hello = wire::CreateHelloDirect(builder, wire::kMajor, 0, "deaf");
  builder.Finish(wire::CreateMessage(builder, 1, wire::Body::Hello, hello.Union()),
                 wire::MessageIdentifier());
  ASSERT_TRUE(socket.send(builder));
  constexpr uint64_t kMuch = 64 << 20;
  uint64_t asked = 0;
  std::vector<wire::Key> keys(4096, wire::wire_key(key_of(77)));
  while (socket.queued_bytes() == 0 && asked < kMuch) {
    builder.Clear();
    const auto list = builder.CreateVectorOfStructs(keys);
    const auto lookup = wire::CreateLookup(builder, list);
    builder.Finish(wire::CreateMessage(builder, 2, wire::Body::Lookup, lookup.Union()),
                   wire::MessageIdentifier());
    asked += builder.GetSize();
    ASSERT_TRUE(socket.send(builder));
  }
  EXPECT_EQ(other.lookup(1, 2), 2u);
  EXPECT_LT(asked, kMuch) << "the server stopped reading";
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
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, options_.socket.data(), options_.socket.size());
  ASSERT_EQ(::bind(stale.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
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
