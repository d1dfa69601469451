// What whoever runs the server reads and sets while it runs, and what a subscriber hears.
#include <gmock/gmock.h>

#include <array>

#include <terrace/sessions.h>

#include "server/raw_client.h"
#include "server/server_fixture.h"

namespace terrace::server_tests {
namespace {

using ::testing::HasSubstr;

constexpr Timeout kPatience = std::chrono::seconds(20);

class Control : public ServerTest {
 protected:
  void add_disk() {
    TierOptions disk;
    disk.disk.paths = {directory_ / "store"};
    disk.disk.capacity = 64 << 20;
    options_.store.tiers = {disk};
  }
  ClientOptions client() const { return {.socket = options_.socket, .name = "operator"}; }
  // Until `count` changes came.
  static std::vector<Change> changes(Subscription& subscription, size_t count) {
    std::vector<Change> all;
    std::array<Change, 64> some;
    while (all.size() < count) {
      const size_t came = subscription.wait(some, kPatience);
      if (came == 0) break;
      all.insert(all.end(), some.begin(), some.begin() + static_cast<std::ptrdiff_t>(came));
    }
    return all;
  }
};

TEST_F(Control, D2_a_tenants_quota_is_set_and_read_while_the_server_runs) {
  start();
  TestClient client(options_.socket);
  ASSERT_EQ(client.store(1, 10), 10u);
  const uint64_t record = 64 << 10;
  const auto above = client->set_quota("", {.l1 = 4 * record});
  ASSERT_TRUE(above);
  EXPECT_EQ(*above, 0u) << "what was above it has left";
  const auto tenants = client->tenants();
  ASSERT_EQ(tenants.size(), 1u);
  EXPECT_EQ(tenants[0].tiers[0].blocks, 4u);
  EXPECT_EQ(tenants[0].quota, (TenantQuota{.l1 = 4 * record}));
  EXPECT_EQ(tenants[0].tiers[0].evictions, 6u);
  EXPECT_EQ(client->set_quota("", {.tiers = {{"nowhere", 1}}}).error().code, Code::kNotFound);
  EXPECT_EQ(client->set_quota("no tenant", {}).error().code, Code::kInvalidArgument);
}

TEST_F(Control, sessions_are_listed_and_limited_while_the_server_runs) {
  start();
  TestClient worker(options_.socket);
  const auto given = worker.reserve(1, 2);
  auto report = read_sessions(client());
  ASSERT_TRUE(report) << report.error().message;
  ASSERT_EQ(report->sessions.size(), 2u) << "the worker's, and this question's";
  EXPECT_EQ(report->sessions[0].client, "test");
  EXPECT_EQ(report->sessions[0].process, static_cast<uint32_t>(::getpid()));
  EXPECT_EQ(report->sessions[0].reserved_bytes, 2 * kBlock);
  EXPECT_EQ(report->limits, SessionLimits{});
  const SessionLimits limits{.reserved_bytes = 3 * kBlock, .leased_bytes = 0};
  ASSERT_TRUE(set_session_limits(client(), limits));
  EXPECT_EQ(read_sessions(client())->limits, limits);
  EXPECT_EQ(worker.reserve(11, 5).size(), 1u) << "two of three are reserved already";
}

TEST_F(Control, what_is_stored_is_listed_page_by_page) {
  start();
  TestClient client(options_.socket);
  const Namespace fields{.model_id = "m", .block_tokens = 16};
  const Key root = *client->open_namespace(fields);
  const auto blocks = specs_of(1, 3);
  auto answers = client->reserve({.root = root, .blocks = blocks});
  std::vector<Reservation> filled;
  for (auto& answer : *answers) filled.push_back(std::move(answer.reservation));
  ASSERT_TRUE(client->commit(filled));
  const auto namespaces = client->namespaces();
  ASSERT_EQ(namespaces.size(), 1u);
  EXPECT_EQ(namespaces[0].root, root);
  EXPECT_EQ(namespaces[0].fields, fields);
  EXPECT_EQ(namespaces[0].blocks, 3u);
  const auto page = client->list(root, {}, 2);
  ASSERT_EQ(page.size(), 2u);
  EXPECT_EQ(page[0].bytes, kBlock);
  EXPECT_EQ(client->list(root, page[1].key, 2).size(), 1u);
  EXPECT_TRUE(client->list(key_of(77), {}, 2).empty());
}

TEST_F(Control, X2_a_key_s_story_is_the_server_s) {
  add_disk();
  start();
  TestClient client(options_.socket);
  ASSERT_EQ(client.store(1, 2), 2u);
  ASSERT_TRUE(client->sync(kPatience));
  const KeyStory story = client->why(key_of(2));
  EXPECT_EQ(story.key, key_of(2));
  ASSERT_EQ(story.places.size(), 2u);
  EXPECT_EQ(story.places[0].name, "l1");
  EXPECT_EQ(story.places[1].bytes, kBlock);
  EXPECT_TRUE(story.places[1].readable);
  EXPECT_EQ(story.reason, MissReason::kNone);
  ASSERT_TRUE(client->remove(keys_of(2, 1)));
  EXPECT_EQ(client->why(key_of(2)).reason, MissReason::kRemoved);
}

TEST_F(Control, M4_the_mode_and_a_tier_are_switched_while_the_server_runs) {
  add_disk();
  start();
  TestClient client(options_.socket);
  ASSERT_EQ(client.store(1, 2), 2u);
  ASSERT_TRUE(client->sync(kPatience));
  const std::string disk = client->stats().tiers[1].name;
  EXPECT_EQ(*client->set_l1_mode(L1Mode::kStaging), 0u);
  EXPECT_EQ(client->lookup(keys_of(1, 1))->where[0], TierMask{2}) << "the disk answers alone";
  EXPECT_EQ(*client->drain_tier(disk, kPatience), 0u);
  EXPECT_EQ(client.reason(1), MissReason::kTierUnavailable);
  ASSERT_TRUE(client->resume_tier(disk));
  EXPECT_EQ(client.lookup(1, 2), 2u);
  EXPECT_EQ(client->drain_tier("nowhere", kPatience).error().code, Code::kNotFound);
  EXPECT_EQ(client->set_l1_mode(L1Mode::kOff).error().code, Code::kInvalidArgument);
}

TEST_F(Control, a_subscriber_hears_what_others_store_and_remove) {
  add_disk();
  start();
  TestClient client(options_.socket), watcher(options_.socket);
  const auto subscription = watcher->subscribe();
  ASSERT_EQ(client.store(1, 1), 1u);
  const auto stored = changes(*subscription, 2);
  ASSERT_EQ(stored.size(), 2u);
  EXPECT_EQ(stored[0].kind, ChangeKind::kStored);
  EXPECT_EQ(stored[0].tier, 0u);
  EXPECT_EQ(stored[0].key, key_of(1));
  EXPECT_EQ(stored[0].root, TestClient::root());
  EXPECT_EQ(stored[1].tier, 1u);
  ASSERT_TRUE(client->remove(keys_of(1, 1)));
  EXPECT_EQ(changes(*subscription, 2)[1].kind, ChangeKind::kRemoved);
  ASSERT_TRUE(client->drain_tier(client->stats().tiers[1].name, kPatience));
  const auto drained = changes(*subscription, 1);
  EXPECT_EQ(drained[0].kind, ChangeKind::kTierState);
  EXPECT_EQ(drained[0].condition, TierCondition::kDrained);
}

TEST_F(Control, two_subscribers_of_one_client_hear_the_same) {
  start();
  TestClient client(options_.socket);
  const auto one = client->subscribe(), other = client->subscribe();
  ASSERT_EQ(client.store(1, 3), 3u);
  EXPECT_EQ(changes(*one, 3), changes(*other, 3));
}

TEST_F(Control, a_subscriber_of_a_server_that_came_back_is_told_that_it_missed_something) {
  start();
  TestClient watcher(options_.socket);
  const auto subscription = watcher->subscribe();
  stop();
  start();
  TestClient client(options_.socket);
  bool lost = false, stored = false;
  EXPECT_TRUE(eventually([&] {
    std::array<Change, 64> some;
    const size_t came = subscription->poll(some);
    for (const Change& change : std::span(some).first(came)) {
      lost = lost || change.kind == ChangeKind::kLost;
      stored = stored || (lost && change.kind == ChangeKind::kStored);
    }
    static uint32_t next = 100;
    if (!stored) client.store(++next, 1);
    return stored;
  }));
}

// The server keeps a bounded number for it, and says how many it did not.
TEST_F(Control, a_subscriber_that_does_not_read_loses_changes_and_hurts_nobody) {
  start();
  RawClient deaf(options_.socket);
  deaf.hello();
  const auto* const done =
      deaf.ask(wire::Body::Subscribe, [](auto& builder) { return wire::CreateSubscribe(builder); });
  ASSERT_EQ(done->body_type(), wire::Body::Done);
  TestClient client(options_.socket);
  for (uint32_t round = 0; round < 500; ++round) {
    ASSERT_EQ(client.store(1, 100), 100u);
    ASSERT_TRUE(client->remove(keys_of(1, 100)));
  }
  uint64_t heard = 0, lost = 0;
  while (heard + lost < 100'000) {
    const auto* const message = deaf.next();
    ASSERT_NE(message, nullptr);
    const auto* const told = message->body_as_Changes();
    ASSERT_NE(told, nullptr);
    for (const wire::Change* change : *told->changes()) {
      ++(change->kind() == static_cast<uint8_t>(ChangeKind::kLost) ? lost : heard);
      lost += change->kind() == static_cast<uint8_t>(ChangeKind::kLost) ? change->lost() - 1 : 0;
    }
  }
  EXPECT_EQ(heard + lost, 100'000u);
  EXPECT_GT(lost, 0u);
}

TEST_F(Control, a_second_subscription_and_what_no_server_knows_are_refused) {
  start();
  RawClient client(options_.socket);
  client.hello();
  const auto subscribe = [](auto& builder) { return wire::CreateSubscribe(builder); };
  EXPECT_EQ(client.ask(wire::Body::Subscribe, subscribe)->body_type(), wire::Body::Done);
  EXPECT_THAT(RawClient::refusal(client.ask(wire::Body::Subscribe, subscribe)), HasSubstr("once"));
  const auto* const refused =
      client.ask(wire::Body::SetMode, [](auto& builder) { return wire::CreateSetMode(builder, 9); });
  EXPECT_THAT(RawClient::refusal(refused), HasSubstr("mode 9"));
}

}  // namespace
}  // namespace terrace::server_tests
