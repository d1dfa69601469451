// A client of the protocol's version 1, byte by byte as it was, and one of a later minor version.
#include <array>
#include <charconv>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "server/raw_client.h"
#include "server/server_fixture.h"

namespace terrace::server_tests {
namespace {

// Messages by name, as tests/wire/golden_messages.py has them.
std::map<std::string, std::vector<std::byte>> golden_messages() {
  std::map<std::string, std::vector<std::byte>> messages;
  std::ifstream file(TERRACE_GOLDEN_FRAMES);
  EXPECT_TRUE(file.good()) << TERRACE_GOLDEN_FRAMES;
  std::string name, text;
  while (file >> name >> text) {
    auto& bytes = messages[name];
    for (size_t i = 0; i + 1 < text.size(); i += 2) {
      uint8_t byte = 0;
      std::from_chars(text.data() + i, text.data() + i + 2, byte, 16);
      bytes.push_back(std::byte{byte});
    }
  }
  return messages;
}

class Golden : public ServerTest {
 protected:
  static void send(int socket, std::vector<std::byte> message) {
    message.resize((message.size() + 7) / 8 * 8);  // frames are of whole words
    const auto header = wire::encode({static_cast<uint32_t>(message.size()), 0});
    ASSERT_EQ(::write(socket, header.data(), header.size()), static_cast<ssize_t>(header.size()));
    ASSERT_EQ(::write(socket, message.data(), message.size()), static_cast<ssize_t>(message.size()));
  }
};

TEST_F(Golden, every_request_of_version_1_is_understood) {
  start();
  const auto messages = golden_messages();
  RawClient client(options_.socket);
  const auto answer_to = [&](const std::string& name) {
    send(client.socket().fd(), messages.at(name));
    const auto* answer = client.next();
    while (answer != nullptr && answer->id() == 0) answer = client.next();  // how the commit's writes end
    return answer;
  };
  ASSERT_NE(answer_to("Hello")->body_as_Welcome(), nullptr);
  EXPECT_NE(answer_to("OpenNamespace")->body_as_NamespaceRoot(), nullptr);
  const auto* const reserved = answer_to("Reserve")->body_as_Reserved();
  ASSERT_NE(reserved, nullptr);
  EXPECT_EQ(reserved->outcomes()->size(), 2u);
  EXPECT_EQ(RawClient::refusal(answer_to("Commit")), "") << "reservations 1 and 2 are this session's first";
  EXPECT_NE(answer_to("AskStats")->body_as_Stats(), nullptr);
  EXPECT_NE(answer_to("Remove")->body_as_Removed(), nullptr);
  EXPECT_NE(answer_to("SetLimits")->body_as_Done(), nullptr);
  EXPECT_NE(answer_to("AskSessions")->body_as_Sessions(), nullptr);
  EXPECT_NE(answer_to("AskTenants")->body_as_Tenants(), nullptr);
  EXPECT_NE(answer_to("AskNamespaces")->body_as_Namespaces(), nullptr);
  EXPECT_NE(answer_to("List")->body_as_StoredBlocks(), nullptr);
  EXPECT_NE(answer_to("AskWhy")->body_as_Story(), nullptr);
  EXPECT_NE(answer_to("Clear")->body_as_Removed(), nullptr);
  EXPECT_NE(answer_to("AwaitRecovery")->body_as_Recovered(), nullptr);
  EXPECT_NE(answer_to("Sync")->body_as_Done(), nullptr);
  // Its list says that it keeps five keys of a slot that has none.
  EXPECT_NE(RawClient::refusal(answer_to("Lookup")), "");
}

// Each alone, from a session of its own: an answer, an error, or the end of that session.
TEST_F(Golden, no_message_of_version_1_hurts_the_server_wherever_it_comes) {
  start();
  const auto messages = golden_messages();
  for (const auto& [name, message] : messages) {
    RawClient client(options_.socket);
    client.hello();
    send(client.socket().fd(), message);
    const auto* const answer =
        client.ask(wire::Body::AskStats, [](auto& builder) { return wire::CreateAskStats(builder); });
    (void)answer;
  }
  TestClient other(options_.socket);
  EXPECT_EQ(other.store(1, 2), 2u);
}

// As a newer client would: a field that this server does not know, and a kind of message.
TEST_F(Golden, what_is_not_known_is_ignored_or_refused_and_the_session_goes_on) {
  start();
  RawClient client(options_.socket);
  client.hello();
  const auto* const found = client.ask(wire::Body::Lookup, [](auto& builder) {
    const auto keys = wire::CreateKeys(builder, 0, 0, builder.template CreateVectorOfStructs<wire::Key>({}));
    const auto begin = builder.StartTable();
    builder.AddOffset(wire::Lookup::VT_KEYS, keys);
    builder.template AddElement<uint64_t>(wire::Lookup::VT_WAIT_MS + 20, 77, 0);
    return flatbuffers::Offset<wire::Lookup>(builder.EndTable(begin));
  });
  ASSERT_NE(found, nullptr);
  EXPECT_NE(found->body_as_Found(), nullptr) << RawClient::refusal(found);
  const auto unknown = static_cast<wire::Body>(static_cast<int>(wire::Body::MAX) + 1);
  const auto* const refused =
      client.ask(unknown, [](auto& builder) { return wire::CreateAskStats(builder); });
  EXPECT_NE(RawClient::refusal(refused).find("does not know"), std::string::npos);
  const auto* const stats =
      client.ask(wire::Body::AskStats, [](auto& builder) { return wire::CreateAskStats(builder); });
  EXPECT_NE(stats->body_as_Stats(), nullptr);
}

}  // namespace
}  // namespace terrace::server_tests
