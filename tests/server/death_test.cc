// A client that dies or hangs up leaves nothing behind that anybody still waits for.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "lab/kit/child_process.h"
#include "server/peer.h"
#include "server/server_fixture.h"

namespace terrace::server_tests {
namespace {

class Death : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    fifo_ = directory_ / "ready";
    ASSERT_EQ(::mkfifo(fifo_.c_str(), 0600), 0);
    start();
  }
  // A client process, once it has done what its role says.
  std::unique_ptr<lab::ChildProcess> begin(const std::string& role) {
    auto peer = std::make_unique<lab::ChildProcess>(peer_words(role, options_.socket, fifo_));
    const int fd = ::open(fifo_.c_str(), O_RDONLY | O_CLOEXEC);
    char word = 0;
    EXPECT_EQ(::read(fd, &word, 1), 1) << role;
    ::close(fd);
    if (word != kThere) peer = nullptr;  // it cannot be one here
    return peer;
  }

  std::string fifo_;
};

TEST_F(Death, in_the_middle_of_a_fill_leaves_no_reservation) {
  const auto peer = begin("fills");
  EXPECT_EQ(server_->stats().reservations, 4u);
  peer->kill_now();
  EXPECT_TRUE(becomes([](const auto& stats) { return stats.sessions == 0 && stats.reservations == 0; }));
  TestClient next(options_.socket);
  EXPECT_EQ(next.lookup(1, 4), 0u) << "never committed";
  EXPECT_EQ(next.store(1, 4), 4u);
}

TEST_F(Death, with_leases_gives_them_back) {
  TestClient writer(options_.socket);
  ASSERT_EQ(writer.store(1, 4), 4u);
  const auto peer = begin("leases");
  EXPECT_EQ(server_->stats().leases, 1u);
  peer->kill_now();
  EXPECT_TRUE(becomes([](const auto& stats) { return stats.sessions == 1 && stats.leases == 0; }));
}

TEST_F(Death, in_the_middle_of_gets_leaves_nothing) {
  TestClient writer(options_.socket);
  ASSERT_EQ(writer.store(1, 4), 4u);
  const auto peer = begin("asks_on");
  peer->kill_now();
  EXPECT_TRUE(becomes([](const auto& stats) { return stats.sessions == 1 && stats.leases == 0; }));
  EXPECT_EQ(writer.get(1, 4).size(), 4u);
}

TEST_F(Death, in_the_middle_of_prefetches_leaves_nothing) {
  TestClient writer(options_.socket);
  ASSERT_EQ(writer.store(1, 4), 4u);
  const auto peer = begin("prefetches");
  peer->kill_now();
  EXPECT_TRUE(becomes([](const auto& stats) { return stats.sessions == 1 && stats.leases == 0; }));
  EXPECT_EQ(writer.get(1, 4).size(), 4u);
}

TEST_F(Death, a_closed_socket_of_a_live_process_keeps_what_it_may_still_read_until_it_ends) {
  TestClient writer(options_.socket);
  ASSERT_EQ(writer.store(1, 4), 4u);
  const auto peer = begin("hangs_up");
  EXPECT_TRUE(becomes([](const auto& stats) { return stats.quarantined == 1; }));
  EXPECT_EQ(server_->stats().leases, 1u);
  peer->kill_now();
  EXPECT_TRUE(becomes([](const auto& stats) { return stats.quarantined == 0 && stats.leases == 0; }));
}

TEST_F(Death, what_a_dead_client_committed_stays) {
  {
    const auto filler = begin("fills");
    TestClient writer(options_.socket);
    ASSERT_EQ(writer.store(11, 4), 4u);
    filler->kill_now();
  }
  TestClient reader(options_.socket);
  const auto got = reader.get(11, 4);
  EXPECT_EQ(got.size(), 4u);
  EXPECT_TRUE(hold_right_bytes(got, 11));
}

// Maps of the arena's segments in this process.
size_t mapped_segments() {
  std::ifstream maps("/proc/self/maps");
  size_t count = 0;
  for (std::string line; std::getline(maps, line);) count += line.contains("terrace-l1") ? 1 : 0;
  return count;
}

TEST_F(Death, of_the_servers_process_makes_misses_until_the_next_one_is_there_with_what_was_durable) {
  stop();
  auto process = begin("serves");
  TestClient client(options_.socket);
  ASSERT_EQ(client.store(1, 4), 4u);
  ASSERT_TRUE(client->sync(std::chrono::seconds(20)));
  auto held = client.get(1, 4);
  ASSERT_EQ(held.size(), 4u);
  process->kill_now();
  EXPECT_EQ(client.lookup(1, 4), 0u);
  EXPECT_EQ(client.get(1, 4).reasons()[0], MissReason::kTierUnavailable);
  EXPECT_TRUE(hold_right_bytes(held, 1));
  EXPECT_GT(mapped_segments(), 0u);
  held.release();
  EXPECT_EQ(mapped_segments(), 0u) << "nobody holds bytes of the old arena";

  process = begin("serves");
  EXPECT_TRUE(eventually([&] { return client.lookup(1, 4) == 4; }));
  const auto again = client.get(1, 4);
  EXPECT_EQ(again.size(), 4u);
  EXPECT_TRUE(hold_right_bytes(again, 1));
  process->kill_now();
}

// As when clients of the server before still hold its arena.
TEST_F(Death, of_the_servers_process_is_followed_by_one_that_takes_what_memory_is_free) {
  stop();
  const auto write_memory = [&](uint64_t available_mib) {
    std::ofstream(options_.socket + ".meminfo")
        << "MemTotal: 1048576 kB\nMemAvailable: " << available_mib * 1024 << " kB\n";
  };
  write_memory(1000);
  auto process = begin("serves_in_given_memory");
  if (process == nullptr) GTEST_SKIP() << "only root can show a process another /proc/meminfo";
  TestClient client(options_.socket);
  ASSERT_TRUE(eventually([&] { return client.store(1, 4) == 4; }));
  ASSERT_TRUE(client->sync(std::chrono::seconds(20)));
  process->kill_now();

  write_memory(1);
  process = begin("serves_in_given_memory");
  EXPECT_TRUE(eventually([&] { return client.lookup(1, 4) == 4; }));
  EXPECT_EQ(client->stats().tiers[0].allocated_bytes, 0u);
  EXPECT_EQ(client.store(11, 4), 0u);
  EXPECT_EQ(client.get(1, 4).size(), 0u);

  write_memory(1000);
  EXPECT_TRUE(eventually([&] { return client.store(11, 4) == 4; }));
  Blocks got;
  EXPECT_TRUE(eventually([&] { return (got = client.get(1, 4)).size() == 4; })) << "a segment for loads";
  EXPECT_TRUE(hold_right_bytes(got, 1));
  process->kill_now();
}

TEST_F(Death, of_the_server_makes_every_request_a_miss) {
  TestClient client(options_.socket);
  ASSERT_EQ(client.store(1, 4), 4u);
  const auto held = client.get(1, 4);
  stop();
  EXPECT_EQ(client.lookup(1, 4), 0u);
  EXPECT_EQ(client.reason(1), MissReason::kTierUnavailable);
  EXPECT_TRUE(hold_right_bytes(held, 1)) << "mapped as long as it is held";
}

}  // namespace
}  // namespace terrace::server_tests
