// Opening, storing, finding, removing, figures.
#include <poll.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

#include <nlohmann/json.hpp>

#include "capi/c_program.h"
#include "capi/store_fixture.h"

namespace terrace::capi_tests {
namespace {

class CApiStore : public CStore {};
TERRACE_WITH_BOTH_STORES(CApiStore);

TEST_P(CApiStore, what_is_committed_is_found_and_got_whole) {
  open();
  EXPECT_EQ(store_blocks(1, 3), 3u);
  EXPECT_EQ(lookup(1, 4), 3u);
  const auto blocks = get(1, 4);
  EXPECT_EQ(right_blocks(blocks.get(), 1), 3u);
  size_t asked = 0;
  const uint8_t* const reasons = terrace_blocks_reasons(blocks.get(), &asked);
  ASSERT_EQ(asked, 4u);
  EXPECT_EQ(reasons[2], TERRACE_MISS_NONE);
  EXPECT_EQ(reasons[3], TERRACE_MISS_UNKNOWN);
}

TEST_P(CApiStore, a_lookup_says_where_blocks_are_and_why_others_are_not) {
  open();
  ASSERT_EQ(store_blocks(1, 2), 2u);
  sync();
  const auto keys = keys_of(1, 4);
  size_t found = 0;
  std::array<uint16_t, 4> where{9, 9, 9, 9};
  std::array<uint8_t, 4> reasons{9, 9, 9, 9};
  terrace_pin* pin = nullptr;
  ok(terrace_lookup(store_, keys.data(), 4, &found, where.data(), reasons.data(), &pin, &error_));
  const Held<terrace_pin> held(pin);
  EXPECT_EQ(found, 2u);
  EXPECT_EQ(where, (std::array<uint16_t, 4>{3, 3, 0, 0})) << "L1 and the disk";
  EXPECT_EQ(reasons, (std::array<uint8_t, 4>{TERRACE_MISS_NONE, TERRACE_MISS_NONE, TERRACE_MISS_UNKNOWN,
                                             TERRACE_MISS_BEHIND_HOLE}));
  EXPECT_NE(pin, nullptr);
  terrace_pin* nothing = pin;
  ok(terrace_lookup(store_, keys.data() + 2, 2, &found, nullptr, nullptr, &nothing, &error_));
  EXPECT_EQ(found, 0u);
  EXPECT_EQ(nothing, nullptr) << "there is nothing to keep";
}

TEST_P(CApiStore, what_is_aborted_was_never_there) {
  open();
  Request request(1, 2);
  ok(terrace_reserve_wait(store_, &request.named, kPatience, request.outcomes.data(),
                          request.reservations.data(), &error_));
  for (terrace_reservation* reservation : request.reservations) {
    ASSERT_NE(reservation, nullptr);
    terrace_reservation_abort(reservation);
  }
  EXPECT_EQ(lookup(1, 2), 0u);
  EXPECT_EQ(store_blocks(1, 2), 2u);
}

TEST_P(CApiStore, what_is_there_needs_no_buffer) {
  open();
  ASSERT_EQ(store_blocks(1, 2), 2u);
  Request request(1, 3);
  ok(terrace_reserve(store_, &request.named, request.outcomes.data(), request.reservations.data(), &error_));
  EXPECT_EQ(request.outcomes,
            (std::vector<uint8_t>{TERRACE_RESERVE_PRESENT, TERRACE_RESERVE_PRESENT, TERRACE_RESERVE_BUFFER}));
  EXPECT_EQ(request.reservations[0], nullptr);
  ASSERT_NE(request.reservations[2], nullptr);
  terrace_reservation_abort(request.reservations[2]);
}

TEST_P(CApiStore, every_write_of_a_commit_is_reported_once_and_the_batch_last) {
  open();
  const auto queue = make_queue();
  ASSERT_EQ(store_blocks(1, 5, queue.get(), 77), 5u);
  const auto all = events(queue.get(), TERRACE_EVENT_WRITE_BATCH);
  ASSERT_EQ(all.size(), 6u);
  EXPECT_EQ(all.back().kind, TERRACE_EVENT_WRITE_BATCH);
  for (const terrace_completion& event : all) {
    EXPECT_EQ(event.tag, 77u);
    EXPECT_EQ(event.status, TERRACE_WRITE_OK);
    EXPECT_EQ(event.code, TERRACE_OK);
  }
  EXPECT_EQ(std::ranges::count(all, 1, &terrace_completion::tier), 5) << "the first tier behind L1";
  size_t more = 9;
  terrace_completion event;
  ok(terrace_queue_wait(queue.get(), 0, &event, 1, &more, &error_));
  EXPECT_EQ(more, 0u);
}

TEST_P(CApiStore, a_queue_can_be_polled_by_an_engines_own_loop) {
  open();
  const auto queue = make_queue();
  pollfd readable{terrace_queue_fd(queue.get()), POLLIN, 0};
  ASSERT_GE(readable.fd, 0);
  ASSERT_EQ(store_blocks(1, 1, queue.get()), 1u);
  // A server's answers make it readable too, before the event is there.
  EXPECT_EQ(::poll(&readable, 1, 20'000), 1);
  EXPECT_EQ(events(queue.get(), TERRACE_EVENT_WRITE_BATCH).size(), 2u);
}

TEST_P(CApiStore, what_is_removed_or_cleared_is_gone) {
  open();
  ASSERT_EQ(store_blocks(1, 3), 3u);
  uint64_t removed = 0;
  ok(terrace_remove(store_, keys_of(2, 2).data(), 2, false, &removed, &error_));
  EXPECT_EQ(removed, 2u);
  EXPECT_EQ(lookup(1, 3), 1u);
  terrace_clear_scope scope{};
  scope.size = sizeof scope;
  const terrace_key other = key_of(7), root = key_of(1'000'000);
  scope.root = &other;
  ok(terrace_clear(store_, &scope, &removed, &error_));
  EXPECT_EQ(removed, 0u) << "another namespace";
  scope.root = &root;
  scope.erase = 1;
  ok(terrace_clear(store_, &scope, nullptr, &error_));
  EXPECT_EQ(lookup(1, 3), 0u);
}

TEST_P(CApiStore, its_statistics_are_one_json_document) {
  open();
  ASSERT_EQ(store_blocks(1, 3), 3u);
  (void)get(1, 4);
  char* text = nullptr;
  ok(terrace_stats(store_, &text, &error_));
  const Held<char> held(text);
  const auto document = nlohmann::json::parse(text);
  EXPECT_EQ(document["tiers"][0]["blocks"], 3);
  EXPECT_EQ(document["tiers"][1]["name"], "disk");
  EXPECT_EQ(document["keys_asked"], 4);
  EXPECT_EQ(document["keys_delivered"], 3);
  EXPECT_EQ(document["misses"]["unknown"], 1);
  EXPECT_TRUE(document["namespaces"].is_array() && document["tenants"].is_array());
}

TEST_P(CApiStore, a_tenant_has_what_its_quota_leaves_it) {
  open();
  const terrace_tier_quota tiers[] = {{"disk", 1 << 20}};
  const uint64_t nothing = 0;
  terrace_quota quota{};
  quota.size = sizeof quota;
  quota.l1 = &nothing;
  quota.tiers = tiers;
  quota.tier_count = 1;
  uint64_t above = 99;
  ok(terrace_set_quota(store_, "", &quota, &above, &error_));
  EXPECT_EQ(above, 0u);
  EXPECT_EQ(store_blocks(1, 1), 0u) << "no room";
  quota.l1 = nullptr;
  ok(terrace_set_quota(store_, "", &quota, nullptr, &error_));
  EXPECT_EQ(store_blocks(1, 1), 1u);
}

TEST_P(CApiStore, a_subscription_tells_what_is_stored_and_removed) {
  open();
  terrace_subscription* subscription = nullptr;
  ok(terrace_subscribe(store_, &subscription, &error_));
  EXPECT_GE(terrace_subscription_fd(subscription), 0);
  ASSERT_EQ(store_blocks(1, 1), 1u);
  sync();
  std::vector<terrace_change> all;
  while (all.size() < 2) {
    std::array<terrace_change, 8> changes;
    size_t count = 0;
    ok(terrace_subscription_wait(subscription, kPatience, changes.data(), changes.size(), &count, &error_));
    ASSERT_GT(count, 0u);
    std::ranges::copy_if(std::span(changes).first(count), std::back_inserter(all),
                         [](const terrace_change& change) { return change.kind == TERRACE_CHANGE_STORED; });
  }
  EXPECT_EQ(all[0].tier, 0);
  EXPECT_EQ(all[1].tier, 1);
  EXPECT_EQ(std::memcmp(&all[1].key, keys_of(1, 1).data(), sizeof(terrace_key)), 0);
  size_t count = 0;
  refused(terrace_subscription_wait(nullptr, 0, nullptr, 0, &count, &error_), TERRACE_INVALID_ARGUMENT,
          "subscription");
  refused(terrace_subscribe(store_, nullptr, &error_), TERRACE_INVALID_ARGUMENT, "subscription");
  terrace_subscription_free(subscription);
}

TEST_P(CApiStore, handles_outlive_their_store) {
  open();
  ASSERT_EQ(store_blocks(1, 3), 3u);
  sync();
  const auto queue = make_queue();
  const auto blocks = get(1, 3);
  const auto keys = keys_of(1, 3);
  size_t found = 0;
  terrace_pin* pin = nullptr;
  ok(terrace_lookup(store_, keys.data(), 3, &found, nullptr, nullptr, &pin, &error_));
  const Held<terrace_pin> held(pin);
  terrace_get_operation* get_operation = nullptr;
  ok(terrace_get_async(store_, keys.data(), 3, kPatience, nullptr, queue.get(), 1, &get_operation, &error_));
  const Held<terrace_get_operation> getting(get_operation);
  terrace_lookup_operation* lookup_operation = nullptr;
  ok(terrace_lookup_async(store_, keys.data(), 3, kPatience, queue.get(), 2, &lookup_operation, &error_));
  const Held<terrace_lookup_operation> looking(lookup_operation);
  terrace_prefetch_ticket* ticket = nullptr;
  ok(terrace_prefetch(store_, keys.data(), 3, nullptr, queue.get(), 3, &ticket, &error_));
  const Held<terrace_prefetch_ticket> prefetching(ticket);
  Request request(11, 1);
  ok(terrace_reserve(store_, &request.named, request.outcomes.data(), request.reservations.data(), &error_));

  free_store();
  EXPECT_EQ(right_blocks(blocks.get(), 1), 3u);
  size_t came = 0;
  std::array<terrace_completion, 8> some;
  EXPECT_EQ(terrace_queue_wait(queue.get(), 1000, some.data(), some.size(), &came, &error_), TERRACE_OK);
  terrace_progress progress{};
  ok(terrace_prefetch_progress(ticket, &progress, &error_));
  EXPECT_EQ(progress.asked, 3u);
  terrace_get_cancel(get_operation);
  terrace_lookup_cancel(lookup_operation);
  terrace_reservation_abort(request.reservations[0]);
}

TEST_P(CApiStore, a_closed_store_answers_that_it_is_closed) {
  open();
  ASSERT_EQ(store_blocks(1, 1), 1u);
  uint64_t abandoned = 99;
  ok(terrace_close(store_, kPatience, &abandoned, &error_));
  EXPECT_EQ(abandoned, 0u);
  ok(terrace_close(store_, 0, nullptr, &error_));
  size_t found = 99;
  refused(terrace_lookup(store_, keys_of(1, 1).data(), 1, &found, nullptr, nullptr, nullptr, &error_),
          TERRACE_CLOSED, "closed");
  EXPECT_EQ(found, 99u) << "nothing was written";
  refused(terrace_remove(store_, keys_of(1, 1).data(), 1, false, nullptr, &error_), TERRACE_CLOSED, "closed");
}

TEST_P(CApiStore, who_wants_no_words_gives_no_error) {
  open();
  EXPECT_EQ(terrace_sync(store_, kPatience, nullptr), TERRACE_OK);
  EXPECT_EQ(terrace_sync(store_, -7, nullptr), TERRACE_INVALID_ARGUMENT);
  EXPECT_EQ(terrace_sync(nullptr, 0, nullptr), TERRACE_INVALID_ARGUMENT);
  bool recovered = false;
  EXPECT_EQ(terrace_wait_recovered(store_, kPatience, &recovered, nullptr), TERRACE_OK);
  EXPECT_TRUE(recovered);
}

// --- a server that goes away

class CApiServer : public CStore {};
INSTANTIATE_TEST_SUITE_P(, CApiServer, ::testing::Values(Kind::kServer), name_of);

TEST_P(CApiServer, while_it_is_away_there_are_misses_and_afterwards_blocks_again) {
  open();
  ASSERT_EQ(store_blocks(1, 3), 3u);
  sync();
  const auto held = get(1, 3);
  stop();

  EXPECT_EQ(lookup(1, 3), 0u);
  const auto nothing = get(1, 3);
  size_t count = 9;
  (void)terrace_blocks_list(nothing.get(), &count);
  EXPECT_EQ(count, 0u);
  EXPECT_EQ(terrace_blocks_reasons(nothing.get(), &count)[0], TERRACE_MISS_TIER_UNAVAILABLE);
  EXPECT_EQ(store_blocks(11, 2), 0u) << "no room";
  refused(terrace_remove(store_, keys_of(1, 1).data(), 1, false, nullptr, &error_), TERRACE_UNAVAILABLE,
          "away");
  EXPECT_EQ(right_blocks(held.get(), 1), 3u) << "mapped as long as it is held";

  start();
  EXPECT_TRUE(eventually([this] { return lookup(1, 3) == 3; }));
  EXPECT_EQ(right_blocks(get(1, 3).get(), 1), 3u);
}

// --- opening

class CApiOpen : public CStore {};
INSTANTIATE_TEST_SUITE_P(, CApiOpen, ::testing::Values(Kind::kEmbedded), name_of);

TEST_P(CApiOpen, a_program_in_c_stores_and_gets) {
  const char* const wrong = run_c_program("l1.budget: 16MiB\n");
  EXPECT_EQ(wrong, nullptr) << wrong;
}

TEST_P(CApiOpen, a_store_finds_again_what_an_earlier_one_wrote) {
  const std::string file = directory_ / "terrace.yaml";
  std::ofstream(file) << "l1.budget: 16MiB\ntiers:\n  - disk: {paths: [" << (directory_ / "store").string()
                      << "], capacity: 64MiB}\n";
  ok(terrace_open(file.c_str(), &store_, &error_));
  ASSERT_EQ(store_blocks(1, 3), 3u);
  sync();
  terrace_store* second = nullptr;
  refused(terrace_open(file.c_str(), &second, &error_), TERRACE_IN_USE, "store");
  EXPECT_EQ(second, nullptr);
  free_store();
  ok(terrace_open(file.c_str(), &store_, &error_));
  bool recovered = false;
  ok(terrace_wait_recovered(store_, kPatience, &recovered, &error_));
  EXPECT_TRUE(recovered);
  EXPECT_EQ(right_blocks(get(1, 3).get(), 1), 3u);
}

TEST_P(CApiOpen, a_wrong_configuration_is_refused_with_its_line) {
  terrace_store* none = nullptr;
  refused(terrace_open_text("l1:\n  budget: 8 potatoes\n", &none, &error_), TERRACE_INVALID_ARGUMENT,
          "yaml:2: l1.budget: '8 potatoes'");
  refused(terrace_open("/no/such/file.yaml", &none, &error_), TERRACE_INVALID_ARGUMENT, "/no/such/file.yaml");
  refused(terrace_open_text("l1: [", &none, &error_), TERRACE_INVALID_ARGUMENT, "not YAML");
  EXPECT_EQ(none, nullptr);
}

TEST_P(CApiOpen, a_server_that_is_not_there_is_not_found) {
  const std::string socket = directory_ / "nobody";
  terrace_connect_options options{};
  options.size = sizeof options;
  options.socket = socket.c_str();
  terrace_store* none = nullptr;
  refused(terrace_connect(&options, &none, &error_), TERRACE_NOT_FOUND, socket);
  EXPECT_EQ(none, nullptr);
}

}  // namespace
}  // namespace terrace::capi_tests
