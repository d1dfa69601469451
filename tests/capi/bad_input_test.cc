// What C cannot promise is refused in words, and changes nothing.
#include <functional>

#include "capi/store_fixture.h"

namespace terrace::capi_tests {
namespace {

class CApiBadInput : public CStore {
 protected:
  void invalid(terrace_code code, const std::string& text) const {
    refused(code, TERRACE_INVALID_ARGUMENT, text);
  }
};
TERRACE_WITH_BOTH_STORES(CApiBadInput);

TEST_P(CApiBadInput, what_is_missing_is_named) {
  open();
  const terrace_key key = key_of(1);
  size_t count = 0;
  terrace_blocks* blocks = nullptr;
  terrace_get_operation* get = nullptr;
  terrace_into_operation* into = nullptr;
  terrace_prefetch_ticket* ticket = nullptr;
  terrace_queue* queue = nullptr;
  uint64_t number = 0;
  invalid(terrace_lookup(nullptr, &key, 1, &count, nullptr, nullptr, nullptr, &error_), "store is NULL");
  invalid(terrace_lookup(store_, nullptr, 3, &count, nullptr, nullptr, nullptr, &error_), "keys is NULL");
  invalid(terrace_lookup(store_, &key, 1, nullptr, nullptr, nullptr, nullptr, &error_), "found is NULL");
  invalid(terrace_lookup_async(store_, &key, 1, 0, nullptr, 0, nullptr, &error_), "operation is NULL");
  invalid(terrace_lookup_take(nullptr, &count, nullptr, nullptr, &error_), "operation is NULL");
  invalid(terrace_lookup_families(store_, &key, 1, nullptr, 2, &count, nullptr, &error_), "groups is NULL");
  invalid(terrace_get(store_, nullptr, 1, 0, nullptr, &blocks, &error_), "keys is NULL");
  invalid(terrace_get(store_, &key, 1, 0, nullptr, nullptr, &error_), "blocks is NULL");
  invalid(terrace_get_async(nullptr, &key, 1, 0, nullptr, nullptr, 0, &get, &error_), "store is NULL");
  invalid(terrace_get_take(nullptr, &blocks, &error_), "operation is NULL");
  invalid(terrace_get_into(store_, &key, nullptr, 1, 0, nullptr, nullptr, 0, &into, &error_), "to is NULL");
  invalid(terrace_into_wait(nullptr, 0, nullptr, &error_), "operation is NULL");
  invalid(terrace_prefetch(store_, nullptr, 1, nullptr, nullptr, 0, &ticket, &error_), "keys is NULL");
  invalid(terrace_prefetch_progress(nullptr, nullptr, &error_), "ticket is NULL");
  invalid(terrace_make_queue(nullptr, &queue, &error_), "store is NULL");
  invalid(terrace_queue_wait(nullptr, 0, nullptr, 0, &count, &error_), "queue is NULL");
  invalid(terrace_commit(store_, nullptr, 2, nullptr, 0, &error_), "reservations is NULL");
  invalid(terrace_reserve(store_, nullptr, nullptr, nullptr, &error_), "request is NULL");
  invalid(terrace_register_region(store_, nullptr, 10, &number, &error_), "data is NULL");
  invalid(terrace_remove(store_, nullptr, 1, false, &number, &error_), "keys is NULL");
  invalid(terrace_clear(store_, nullptr, &number, &error_), "scope is NULL");
  invalid(terrace_stats(store_, nullptr, &error_), "json is NULL");
  invalid(terrace_set_quota(store_, nullptr, nullptr, &number, &error_), "tenant is NULL");
  invalid(terrace_open(nullptr, &store_, &error_), "file is NULL");
  invalid(terrace_open_text(nullptr, &store_, &error_), "yaml is NULL");
  invalid(terrace_connect(nullptr, &store_, &error_), "options is NULL");
  invalid(terrace_open_namespace(store_, nullptr, nullptr, &error_), "fields is NULL");
}

TEST_P(CApiBadInput, ending_nothing_does_nothing) {
  terrace_store_free(nullptr);
  terrace_reservation_abort(nullptr);
  terrace_pin_release(nullptr);
  terrace_blocks_release(nullptr);
  terrace_lookup_cancel(nullptr);
  terrace_lookup_free(nullptr);
  terrace_get_cancel(nullptr);
  terrace_get_free(nullptr);
  terrace_into_cancel(nullptr);
  terrace_into_free(nullptr);
  terrace_prefetch_cancel(nullptr);
  terrace_prefetch_release(nullptr);
  terrace_prefetch_free(nullptr);
  terrace_queue_free(nullptr);
  terrace_text_free(nullptr);
  size_t count = 9;
  uint64_t bytes = 9;
  EXPECT_EQ(terrace_blocks_list(nullptr, &count), nullptr);
  EXPECT_EQ(count, 0u);
  EXPECT_EQ(terrace_blocks_reasons(nullptr, nullptr), nullptr);
  EXPECT_EQ(terrace_reservation_buffer(nullptr, &bytes), nullptr);
  EXPECT_EQ(bytes, 0u);
  EXPECT_EQ(terrace_queue_fd(nullptr), -1);
  EXPECT_FALSE(terrace_get_ready(nullptr) || terrace_lookup_ready(nullptr) || terrace_into_ready(nullptr) ||
               terrace_into_released(nullptr));
}

TEST_P(CApiBadInput, an_empty_list_may_be_NULL) {
  open();
  size_t found = 9;
  ok(terrace_lookup(store_, nullptr, 0, &found, nullptr, nullptr, nullptr, &error_));
  EXPECT_EQ(found, 0u);
  ok(terrace_commit(store_, nullptr, 0, nullptr, 0, &error_));
  terrace_reserve_request request{};
  request.size = sizeof request;
  ok(terrace_reserve(store_, &request, nullptr, nullptr, &error_));
}

TEST_P(CApiBadInput, a_batch_has_a_bound) {
  open();
  const std::vector<terrace_key> keys(TERRACE_BATCH_MAX + 1);
  size_t found = 9;
  refused(terrace_lookup(store_, keys.data(), keys.size(), &found, nullptr, nullptr, nullptr, &error_),
          TERRACE_LIMIT_EXCEEDED, "65537 keys: a call takes at most 65536");
  // The list is not read before its length is looked at.
  refused(terrace_remove(store_, keys.data(), SIZE_MAX, false, nullptr, &error_), TERRACE_LIMIT_EXCEEDED,
          "65536");
  EXPECT_EQ(found, 9u);
  ok(terrace_lookup(store_, keys.data(), TERRACE_BATCH_MAX, &found, nullptr, nullptr, nullptr, &error_));
}

TEST_P(CApiBadInput, blocks_that_cannot_be_are_named_by_their_place) {
  open();
  const auto reserve = [this](Request& request) {
    return terrace_reserve(store_, &request.named, request.outcomes.data(), request.reservations.data(),
                           &error_);
  };
  Request request(1, 3);
  request.blocks[2].bytes = 0;
  invalid(reserve(request), "blocks[2].bytes is 0");
  EXPECT_EQ(request.outcomes[0], 99) << "nothing was written";
  request.blocks[2].bytes = TERRACE_BLOCK_BYTES_MAX + uint64_t{1};
  refused(reserve(request), TERRACE_LIMIT_EXCEEDED, "blocks[2].bytes is 268435457");
  request.blocks[2].bytes = kBlock;
  request.blocks[1].member = {0, 2, 2};
  invalid(reserve(request), "shard is 2 of 2 shards");
  request.blocks[1].member = {1, 0, 0};
  invalid(reserve(request), "shard is 0 of 0 shards");
  request.blocks[1].member = {};
  request.blocks[0].reserved = 5;
  invalid(reserve(request), "reserved is 5");
  EXPECT_EQ(lookup(1, 3), 0u);
}

TEST_P(CApiBadInput, numbers_that_no_enumeration_has_are_refused) {
  open();
  const terrace_key key = key_of(1);
  terrace_blocks* blocks = nullptr;
  terrace_get_options get{};
  get.size = sizeof get;
  get.write_back = 4;
  invalid(terrace_get(store_, &key, 1, 0, &get, &blocks, &error_), "options.write_back is 4: 0 to 3");
  terrace_prefetch_options prefetch{};
  prefetch.size = sizeof prefetch;
  prefetch.policy = 3;
  terrace_prefetch_ticket* ticket = nullptr;
  invalid(terrace_prefetch(store_, &key, 1, &prefetch, nullptr, 0, &ticket, &error_), "options.policy is 3");
  terrace_clear_scope scope{};
  scope.size = sizeof scope;
  invalid(terrace_clear(store_, &scope, nullptr, &error_), "scope");
  scope.all = 2;
  invalid(terrace_clear(store_, &scope, nullptr, &error_), "scope.all is 2");
}

TEST_P(CApiBadInput, times_below_zero_are_refused) {
  open();
  const terrace_key key = key_of(1);
  terrace_blocks* blocks = nullptr;
  invalid(terrace_get(store_, &key, 1, -2, nullptr, &blocks, &error_), "timeout_ns is -2");
  invalid(terrace_sync(store_, TERRACE_TIMEOUT_STORE, &error_), "timeout_ns is -1");
  invalid(terrace_close(store_, INT64_MIN, nullptr, &error_), "timeout_ns is -9223372036854775808");
  EXPECT_EQ(lookup(1, 1), 0u) << "it is open";
}

TEST_P(CApiBadInput, a_struct_says_how_large_it_is) {
  open();
  const terrace_key key = key_of(1);
  terrace_blocks* blocks = nullptr;
  terrace_get_options options{};
  invalid(terrace_get(store_, &key, 1, 0, &options, &blocks, &error_), "options.size is 0");
  options.size = SIZE_MAX;
  invalid(terrace_get(store_, &key, 1, 0, &options, &blocks, &error_), "set it to sizeof, which is 24");
}

TEST_P(CApiBadInput, a_struct_of_a_newer_program_is_taken_where_it_asks_for_nothing_new) {
  open();
  ASSERT_EQ(store_blocks(1, 1), 1u);
  struct Newer {
    terrace_get_options known;
    uint64_t added;
  } options{};
  options.known.size = sizeof options;
  EXPECT_EQ(right_blocks(get(1, 1, &options.known).get(), 1), 1u);
  options.added = 1;
  terrace_blocks* blocks = nullptr;
  refused(terrace_get(store_, keys_of(1, 1).data(), 1, 0, &options.known, &blocks, &error_),
          TERRACE_UNSUPPORTED, "options has 32 bytes");
}

TEST_P(CApiBadInput, handles_of_another_store_are_refused) {
  open();
  terrace_store* other = nullptr;
  ok(terrace_open_text("l1.budget: 16MiB", &other, &error_));
  terrace_queue* theirs = nullptr;
  ok(terrace_make_queue(other, &theirs, &error_));
  const Held<terrace_queue> queue(theirs);
  terrace_get_operation* operation = nullptr;
  invalid(terrace_get_async(store_, keys_of(1, 1).data(), 1, 0, nullptr, theirs, 1, &operation, &error_),
          "queue is another store's");
  Request request(1, 2);
  ok(terrace_reserve(store_, &request.named, request.outcomes.data(), request.reservations.data(), &error_));
  invalid(terrace_commit(other, request.reservations.data(), 2, nullptr, 0, &error_), "another store");
  ASSERT_NE(request.reservations[0], nullptr) << "nothing was taken";
  ok(terrace_commit(store_, request.reservations.data(), 2, nullptr, 0, &error_));
  EXPECT_EQ(lookup(1, 2), 2u);
  terrace_store_free(other);
}

TEST_P(CApiBadInput, a_reservation_that_is_named_twice_is_committed_by_neither) {
  open();
  Request request(1, 2);
  ok(terrace_reserve(store_, &request.named, request.outcomes.data(), request.reservations.data(), &error_));
  std::array<terrace_reservation*, 3> named{request.reservations[0], request.reservations[1],
                                            request.reservations[0]};
  invalid(terrace_commit(store_, named.data(), 3, nullptr, 0, &error_), "reservations[2] is named twice");
  EXPECT_EQ(named[0], request.reservations[0]);
  EXPECT_EQ(lookup(1, 2), 0u);
  uint64_t bytes = 0;
  EXPECT_NE(terrace_reservation_buffer(named[0], &bytes), nullptr) << "still to be filled";
  EXPECT_EQ(bytes, kBlock);
  ok(terrace_commit(store_, named.data(), 2, nullptr, 0, &error_));
}

TEST_P(CApiBadInput, families_without_shards_or_with_too_many_are_refused) {
  open();
  const auto families = keys_of(1, 3);
  size_t found = 9;
  const terrace_family_group none{0, 0}, many{UINT32_MAX, 0};
  invalid(terrace_lookup_families(store_, families.data(), 3, nullptr, 0, &found, nullptr, &error_),
          "group_count is 0");
  invalid(terrace_lookup_families(store_, families.data(), 3, &none, 1, &found, nullptr, &error_),
          "groups[0].shards is 0");
  refused(terrace_lookup_families(store_, families.data(), 3, &many, 1, &found, nullptr, &error_),
          TERRACE_LIMIT_EXCEEDED, "65536");
  refused(terrace_needed_members(families.data(), 3, &many, 1, nullptr, 0, &found, &error_),
          TERRACE_LIMIT_EXCEEDED, "65536");
  const terrace_family_group two{2, 0};
  std::array<terrace_key, 5> keys;
  invalid(terrace_needed_members(families.data(), 3, &two, 1, keys.data(), keys.size(), &found, &error_),
          "keys_max is 5: 6 members");
  EXPECT_EQ(found, 9u);
}

TEST_P(CApiBadInput, a_quota_names_tiers_once_and_tenants_by_their_digest) {
  open();
  terrace_quota quota{};
  quota.size = sizeof quota;
  invalid(terrace_set_quota(store_, "salt", &quota, nullptr, &error_), "tenant 'salt'");
  const terrace_tier_quota twice[] = {{"disk", 1}, {"disk", 2}};
  quota.tiers = twice;
  quota.tier_count = 2;
  invalid(terrace_set_quota(store_, "", &quota, nullptr, &error_), "names 'disk' twice");
  const terrace_tier_quota unknown[] = {{"tape", 1}};
  quota.tiers = unknown;
  quota.tier_count = 1;
  const terrace_code code = terrace_set_quota(store_, "", &quota, nullptr, &error_);
  if (embedded()) refused(code, TERRACE_NOT_FOUND, "tier");
}

}  // namespace
}  // namespace terrace::capi_tests
