// `auth: namespaces`: a session sees, stores and removes what is of the namespaces it named, and nothing
// else.
#include <gmock/gmock.h>

#include <terrace/sessions.h>

#include "server/raw_client.h"
#include "server/server_fixture.h"

namespace terrace::server_tests {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Binding : public ServerTest {
 protected:
  static Namespace fields_of(const std::string& salt) { return {.model_id = "m", .tenant_salt = salt}; }
  static Key root_of(const std::string& salt) { return *namespace_root(fields_of(salt)); }
  std::unique_ptr<Store> connect_as(std::vector<std::string> salts) {
    ClientOptions options{.socket = options_.socket, .name = "bound"};
    for (const std::string& salt : salts) options.namespaces.push_back(fields_of(salt));
    auto opened = connect(options);
    EXPECT_TRUE(opened) << opened.error().message;
    return opened ? std::move(*opened) : nullptr;
  }
  void SetUp() override {
    ServerTest::SetUp();
    options_.auth = Auth::kNamespaces;
    start();
    alice_ = connect_as({"alice"});
    bob_ = connect_as({"bob"});
    ASSERT_TRUE(alice_ != nullptr && bob_ != nullptr);
  }
  void TearDown() override {
    alice_.reset();
    bob_.reset();
    ServerTest::TearDown();
  }
  static Result<size_t> store(Store& store, const Key& root, uint32_t first, uint32_t count) {
    const auto blocks = specs_of(first, count);
    auto answers = store.reserve({.root = root, .blocks = blocks});
    if (!answers) return std::unexpected(answers.error());
    std::vector<Reservation> filled;
    for (ReserveAnswer& answer : *answers) {
      if (!answer.reservation) continue;
      std::ranges::fill(answer.reservation.bytes(), byte_of(first + static_cast<uint32_t>(filled.size())));
      filled.push_back(std::move(answer.reservation));
    }
    EXPECT_TRUE(store.commit(filled));
    return filled.size();
  }

  std::unique_ptr<Store> alice_, bob_;
};

TEST_F(Binding, each_sees_its_own) {
  ASSERT_EQ(*store(*alice_, root_of("alice"), 1, 2), 2u);
  ASSERT_EQ(*store(*bob_, root_of("bob"), 11, 2), 2u);
  EXPECT_EQ(alice_->lookup(keys_of(1, 2))->found, 2u);
  EXPECT_EQ(alice_->lookup(keys_of(11, 2))->found, 0u);
  EXPECT_EQ(alice_->lookup(keys_of(11, 2), true)->found, 0u);
  EXPECT_EQ(alice_->get(keys_of(11, 2))->size(), 0u);
  EXPECT_EQ(bob_->get(keys_of(11, 2))->size(), 2u);
  const auto both = connect_as({"alice", "bob"});
  EXPECT_EQ(both->get(keys_of(1, 2))->size(), 2u);
  EXPECT_EQ(both->get(keys_of(11, 2))->size(), 2u);
}

TEST_F(Binding, nobody_stores_for_others) {
  EXPECT_EQ(store(*alice_, root_of("bob"), 1, 1).error().code, Code::kPermission);
  EXPECT_EQ(store(*alice_, key_of(1'000'000), 1, 1).error().code, Code::kPermission);
}

// Wrong bytes under a key of somebody else's are the storer's own.
TEST_F(Binding, what_one_stores_under_anothers_key_the_other_does_not_get) {
  ASSERT_EQ(*store(*alice_, root_of("alice"), 1, 1), 1u);
  EXPECT_EQ(bob_->get(keys_of(1, 1))->size(), 0u);
}

TEST_F(Binding, nobody_removes_what_is_of_others) {
  ASSERT_EQ(*store(*bob_, root_of("bob"), 11, 2), 2u);
  EXPECT_EQ(*alice_->remove(keys_of(11, 2)), 0u);
  EXPECT_EQ(alice_->clear({.root = root_of("bob")}).error().code, Code::kPermission);
  EXPECT_EQ(alice_->clear({.all = true}).error().code, Code::kPermission);
  EXPECT_EQ(alice_->clear({.tenant_salt = "bob"}).error().code, Code::kPermission);
  EXPECT_EQ(bob_->lookup(keys_of(11, 2))->found, 2u);
  EXPECT_EQ(*bob_->clear({.root = root_of("bob")}), 2u);
}

TEST_F(Binding, another_namespace_cannot_be_opened_later) {
  EXPECT_TRUE(alice_->open_namespace(fields_of("alice")));
  const auto refused = alice_->open_namespace(fields_of("bob"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error.code, Code::kPermission);
}

TEST_F(Binding, each_hears_of_its_own) {
  const auto changes = alice_->subscribe();
  ASSERT_EQ(*store(*bob_, root_of("bob"), 11, 1), 1u);
  ASSERT_EQ(*store(*alice_, root_of("alice"), 1, 1), 1u);
  std::array<Change, 4> some;
  ASSERT_EQ(changes->wait(some, std::chrono::seconds(20)), 1u);
  EXPECT_EQ(some[0].key, key_of(1));
  ASSERT_EQ(alice_->namespaces().size(), 1u);
  EXPECT_EQ(alice_->namespaces()[0].root, root_of("alice"));
  EXPECT_EQ(alice_->list(root_of("alice"), {}, 10).size(), 1u);
  EXPECT_TRUE(alice_->list(root_of("bob"), {}, 10).empty());
  EXPECT_TRUE(alice_->list({}, {}, 10).empty());
  EXPECT_FALSE(alice_->why(key_of(1)).places.empty());
  EXPECT_TRUE(alice_->why(key_of(11)).places.empty());
}

TEST_F(Binding, who_is_bound_does_not_run_the_server_and_who_named_none_does) {
  EXPECT_EQ(alice_->set_quota("", {.l1 = 1 << 20}).error().code, Code::kPermission);
  EXPECT_EQ(alice_->set_l1_mode(L1Mode::kStaging).error().code, Code::kPermission);
  EXPECT_TRUE(alice_->tenants().empty());
  const auto operator_of_it = connect_as({});
  ASSERT_EQ(*store(*bob_, root_of("bob"), 11, 2), 2u);
  EXPECT_EQ(operator_of_it->lookup(keys_of(11, 2))->found, 0u);
  EXPECT_EQ(operator_of_it->list({}, {}, 10).size(), 2u);
  EXPECT_FALSE(operator_of_it->tenants().empty());
  EXPECT_EQ(*operator_of_it->clear({.all = true}), 2u);
}

TEST_F(Binding, a_session_is_bound_again_when_the_server_came_back) {
  ASSERT_EQ(*store(*alice_, root_of("alice"), 1, 1), 1u);
  stop();
  start();
  EXPECT_TRUE(eventually([&] { return store(*alice_, root_of("alice"), 2, 1).value_or(0) == 1; }));
  EXPECT_EQ(alice_->get(keys_of(2, 1))->size(), 1u);
  EXPECT_EQ(store(*alice_, root_of("bob"), 3, 1).error().code, Code::kPermission);
}

}  // namespace
}  // namespace terrace::server_tests
