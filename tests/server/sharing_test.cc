// Two clients, one cache: what one stored the other reads, in place.
#include <unistd.h>

#include <atomic>

#include "memory/mapping.h"
#include "server/server_fixture.h"

namespace terrace::server_tests {
namespace {

class Sharing : public ServerTest {};

TEST_F(Sharing, what_one_client_stored_another_one_reads_in_place) {
  start();
  TestClient writer(options_.socket), reader(options_.socket);
  ASSERT_TRUE(writer.connected() && reader.connected()) << writer.message << reader.message;
  ASSERT_EQ(writer.store(1, 5), 5u);
  EXPECT_EQ(reader.lookup(1, 8), 5u);
  const auto got = reader.get(1, 8);
  ASSERT_EQ(got.size(), 5u);
  EXPECT_TRUE(hold_right_bytes(got, 1));
  EXPECT_EQ(std::vector(got.reasons().begin(), got.reasons().end()),
            (std::vector{MissReason::kUnknown, MissReason::kBehindHole, MissReason::kBehindHole}));
}

TEST_F(Sharing, a_client_reads_what_it_stored_itself) {
  start();
  TestClient client(options_.socket);
  ASSERT_EQ(client.store(1, 3), 3u);
  const auto got = client.get(1, 3);
  EXPECT_EQ(got.size(), 3u);
  EXPECT_TRUE(hold_right_bytes(got, 1));
  EXPECT_EQ(client.store(1, 3), 0u) << "present";
}

TEST_F(Sharing, leases_are_counted_and_given_back) {
  start();
  TestClient client(options_.socket);
  ASSERT_EQ(client.store(1, 3), 3u);
  auto got = client.get(1, 3);
  EXPECT_EQ(server_->stats().leases, 1u);
  got.release();
  EXPECT_TRUE(becomes([](const auto& stats) { return stats.leases == 0; }));
}

TEST_F(Sharing, what_is_removed_is_found_by_nobody) {
  start();
  TestClient writer(options_.socket), reader(options_.socket);
  ASSERT_EQ(writer.store(1, 4), 4u);
  EXPECT_EQ(*writer->remove(keys_of(2, 1)), 1u);
  EXPECT_EQ(reader.lookup(1, 4), 1u);
}

TEST_F(Sharing, blocks_come_back_from_the_disk_for_any_client) {
  TierOptions disk;
  disk.disk.paths = {directory_ / "store"};
  disk.disk.capacity = 64 << 20;
  options_.store.tiers = {disk};
  start();
  TestClient writer(options_.socket), reader(options_.socket);
  for (uint32_t chain = 0; chain < 20; ++chain) ASSERT_EQ(writer.store(1 + 100 * chain, 10), 10u);
  // L1 holds the last ones; what it has no room for comes from the disk, into memory only the server writes.
  size_t delivered = 0;
  for (uint32_t chain = 0; chain < 20; ++chain) {
    const auto got = reader.get(1 + 100 * chain, 10);
    EXPECT_TRUE(hold_right_bytes(got, 1 + 100 * chain)) << chain;
    delivered += got.size();
  }
  EXPECT_GT(delivered, 150u);
}

TEST_F(Sharing, many_threads_of_one_connection_ask_at_once) {
  start();
  TestClient client(options_.socket);
  ASSERT_EQ(client.store(1, 10), 10u);
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int round = 0; round < 200; ++round) {
          if (client.lookup(1, 10) == 10) ++right;
        }
      });
    }
  }
  EXPECT_EQ(right, 800);
}

TEST_F(Sharing, ten_thousand_clients_come_and_go_and_leave_nothing) {
  start();
  const auto descriptors = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                         std::filesystem::directory_iterator());
  };
  auto before = descriptors();
  for (int round = 0; round < 10000; ++round) {
    TestClient client(options_.socket);
    ASSERT_TRUE(client.connected()) << round << ": " << client.message;
    if (round % 100 == 0) client.store(static_cast<uint32_t>(round), 1);
    if (round == 10) before = descriptors();
  }
  EXPECT_LE(descriptors(), before + 8);
}

TEST_F(Sharing, a_session_reserves_and_leases_within_its_limits_and_others_are_not_touched_D2) {
  options_.limits = {.reserved_bytes = 3 * kBlock, .leased_bytes = 4 * kBlock};
  start();
  TestClient greedy(options_.socket), other(options_.socket);
  auto given = greedy.reserve(1, 5);
  EXPECT_EQ(given.size(), 3u) << "the rest has no room";
  EXPECT_EQ(greedy.reserve(11, 1).size(), 0u);
  EXPECT_EQ(other.store(21, 3), 3u);
  for (size_t i = 0; i < given.size(); ++i)
    std::ranges::fill(given[i].bytes(), byte_of(1 + static_cast<uint32_t>(i)));
  EXPECT_TRUE(greedy->commit(given));
  EXPECT_EQ(greedy.store(4, 3), 3u) << "what was committed counts no more";

  auto first = greedy.get(1, 3);
  auto second = greedy.get(4, 3);  // begun below the limit
  EXPECT_EQ(first.size() + second.size(), 6u);
  const auto third = greedy.get(1, 2);
  EXPECT_EQ(third.size(), 0u);
  EXPECT_EQ(third.reasons()[0], MissReason::kNoRoom);
  EXPECT_EQ(other.get(1, 6).size(), 6u);
  EXPECT_TRUE(becomes([](const server::ServerStats& stats) {  // the other one's are given back by now
    return stats.each.size() == 2 && stats.each[0].client == "test" &&
           stats.each[0].process == static_cast<uint32_t>(::getpid()) &&
           stats.each[0].leased_bytes + stats.each[1].leased_bytes == 6 * kBlock;
  }));
  second.release();
  EXPECT_EQ(greedy.get(1, 2).size(), 2u);
  server_->set_limits({});
  EXPECT_EQ(greedy.reserve(31, 5).size(), 5u) << "settable while it runs";
}

}  // namespace
}  // namespace terrace::server_tests
