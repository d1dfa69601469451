// The public client: the same handles as the embedded store's, and what they do when the server is away.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "io/descriptor.h"
#include "server/server_fixture.h"

namespace terrace::server_tests {
namespace {

constexpr Timeout kPatience = std::chrono::seconds(20);

class ClientTest : public ServerTest {
 protected:
  void add_disk() {
    TierOptions disk;
    disk.disk.paths = {directory_ / "store"};
    disk.disk.capacity = 64 << 20;
    options_.store.tiers = {disk};
  }
  // Until `count` events of this kind came; all that came.
  static std::vector<Completion> events(CompletionQueue& queue, EventKind last, size_t count = 1) {
    std::vector<Completion> all;
    std::array<Completion, 16> some;
    while (count > 0) {
      const size_t came = queue.wait(some, kPatience);
      if (came == 0) break;
      for (const Completion& event : std::span(some).first(came)) {
        all.push_back(event);
        if (event.kind == last) --count;
      }
    }
    return all;
  }
  // What does not fit L1 any more is on the disk only.
  static void push_out(TestClient& client) {
    for (uint32_t chain = 50; chain < 80; ++chain) client.store(1000 * chain, 10);
    EXPECT_TRUE(client->sync(kPatience)) << "what is being written keeps its room";
  }
};

// Memory of this process that a server can map, of whole pages.
class SharedMemory {
 public:
  explicit SharedMemory(size_t bytes)
      : file_(::memfd_create("client memory", MFD_CLOEXEC | MFD_ALLOW_SEALING)), bytes_(bytes) {
    EXPECT_EQ(::ftruncate(file_.get(), static_cast<off_t>(bytes)), 0);
    void* const data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
    EXPECT_NE(data, MAP_FAILED);
    data_ = static_cast<std::byte*>(data);
  }
  ~SharedMemory() { ::munmap(data_, bytes_); }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  int fd() const { return file_.get(); }
  static constexpr uint64_t kStride = 61'440;
  std::span<std::byte> block(size_t i) const { return {data_ + i * kStride, kBlock}; }
  static std::vector<RegionSlice> slices(RegionId region, size_t count) {
    std::vector<RegionSlice> all;
    for (size_t i = 0; i < count; ++i) all.push_back({region, i * kStride, kBlock});
    return all;
  }

 private:
  io::Descriptor file_;
  size_t bytes_;
  std::byte* data_ = nullptr;
};

TEST_F(ClientTest, namespaces_and_statistics_are_the_servers) {
  start();
  TestClient one(options_.socket), other(options_.socket);
  const Namespace fields{.model_id = "model", .block_tokens = 64, .tenant_salt = "salt"};
  EXPECT_EQ(*one->open_namespace(fields), *other->open_namespace(fields));
  EXPECT_EQ(*one->open_namespace(fields), *namespace_root(fields));
  ASSERT_EQ(one.store(1, 3), 3u);
  (void)other.get(1, 4);
  const StoreStats stats = one->stats();
  ASSERT_EQ(stats.tiers.size(), 1u);
  EXPECT_EQ(stats.tiers[0].blocks, 3u);
  EXPECT_EQ(stats.keys_asked, 4u);
  EXPECT_EQ(stats.keys_delivered, 3u);
  EXPECT_EQ(stats.misses[static_cast<size_t>(MissReason::kUnknown)], 1u);
  EXPECT_FALSE(stats.page_state.empty());
}

TEST_F(ClientTest, every_write_of_a_commit_is_reported_once_and_the_batch_last_S4) {
  add_disk();
  start();
  TestClient client(options_.socket);
  const auto queue = client->make_queue();
  ASSERT_EQ(client.store(1, 5, {queue, 77}), 5u);
  const auto all = events(*queue, EventKind::kWriteBatch);
  ASSERT_EQ(all.size(), 6u);
  EXPECT_EQ(std::ranges::count(all, EventKind::kWrite, &Completion::kind), 5);
  EXPECT_EQ(std::ranges::count(all, WriteStatus::kOk, &Completion::status), 6);
  EXPECT_EQ(std::ranges::count(all, 77u, &Completion::tag), 6);
  EXPECT_TRUE(client->sync(kPatience));
  std::array<Completion, 4> more;
  EXPECT_EQ(queue->poll(more), 0u);
}

TEST_F(ClientTest, a_queue_of_another_store_is_refused) {
  start();
  TestClient client(options_.socket);
  const auto embedded = Store::open({});
  EXPECT_EQ(client->get_async(keys_of(1, 1), {}, {(*embedded)->make_queue(), 1}).error().code,
            Code::kInvalidArgument);
  auto given = client.reserve(1, 1);
  EXPECT_EQ((*embedded)->commit(given).error().code, Code::kInvalidArgument);
  EXPECT_TRUE(client->commit(given));
}

TEST_F(ClientTest, retrieves_run_beside_each_other_and_end_in_a_queue) {
  add_disk();
  start();
  TestClient client(options_.socket);
  ASSERT_EQ(client.store(1, 5), 5u);
  ASSERT_TRUE(client->sync(kPatience));
  push_out(client);
  const auto queue = client->make_queue();
  auto get = client->get_async(keys_of(1, 7), {.timeout = kPatience}, {queue, 1});
  auto lookup = client->lookup_async(keys_of(1, 7), kPatience, {queue, 2});
  auto prefetch = client->prefetch(keys_of(50'000, 3), {}, {queue, 3});
  ASSERT_TRUE(get && lookup && prefetch);
  EXPECT_EQ(events(*queue, EventKind::kResult, 3).size(), 3u);
  EXPECT_TRUE(get->ready() && lookup->ready());
  const auto blocks = get->take();
  ASSERT_TRUE(blocks);
  EXPECT_EQ(blocks->size(), 5u);
  EXPECT_TRUE(hold_right_bytes(*blocks, 1));
  EXPECT_EQ(blocks->reasons().size(), 2u);
  EXPECT_FALSE(get->take()) << "taken once";
  EXPECT_EQ(lookup->take()->found, 5u);
  EXPECT_EQ(prefetch->progress().asked, 3u);
  EXPECT_TRUE(prefetch->progress().ended);
}

TEST_F(ClientTest, a_pin_and_a_lease_are_given_back_with_their_handles) {
  start();
  TestClient client(options_.socket);
  ASSERT_EQ(client.store(1, 3), 3u);
  auto found = client->lookup(keys_of(1, 3), true);
  auto blocks = client.get(1, 3);
  auto prefetch = client->prefetch(keys_of(1, 3));
  EXPECT_EQ(server_->stats().leases, 3u);
  found->pin.release();
  blocks.release();
  prefetch->cancel();
  EXPECT_TRUE(becomes([](const auto& stats) { return stats.leases == 0; }));
}

TEST_F(ClientTest, a_get_takes_what_a_prefetch_of_staging_brought) {
  add_disk();
  options_.store.l1.mode = L1Mode::kStaging;
  start();
  TestClient client(options_.socket);
  ASSERT_EQ(client.store(1, 3), 3u);
  ASSERT_TRUE(client->sync(kPatience));
  const auto queue = client->make_queue();
  auto prefetch = client->prefetch(keys_of(1, 3), {}, {queue, 1});
  ASSERT_EQ(events(*queue, EventKind::kResult).size(), 1u);
  EXPECT_EQ(prefetch->progress().arrived, 3u);
  const auto blocks = client->get(keys_of(1, 3), {.timeout = kPatience, .ticket = &*prefetch});
  ASSERT_EQ(blocks->size(), 3u);
  EXPECT_TRUE(hold_right_bytes(*blocks, 1));
  EXPECT_EQ((*blocks)[0].source, 0u) << "from L1, not from the disk once more";
}

TEST_F(ClientTest, blocks_move_between_the_clients_memory_and_the_tiers) {
  add_disk();
  options_.store.l1.mode = L1Mode::kStaging;
  start();
  TestClient client(options_.socket);
  const SharedMemory memory(16 * SharedMemory::kStride);
  const auto region = client->register_shared_region(memory.fd(), 0, 16 * SharedMemory::kStride);
  ASSERT_TRUE(region) << to_string(region.error());
  for (uint32_t i = 0; i < 4; ++i) std::ranges::fill(memory.block(i), byte_of(1 + i));
  const auto queue = client->make_queue();
  const auto blocks = specs_of(1, 4);
  const auto outcomes = client->put({.root = TestClient::root(), .blocks = blocks},
                                    SharedMemory::slices(*region, 4), {queue, 9});
  ASSERT_TRUE(outcomes) << to_string(outcomes.error());
  EXPECT_EQ(std::ranges::count(*outcomes, ReserveOutcome::kAccepted), 4);
  const auto all = events(*queue, EventKind::kReleased, 4);
  EXPECT_EQ(std::ranges::count(all, EventKind::kReleased, &Completion::kind), 4);
  ASSERT_TRUE(client->sync(kPatience));
  for (uint32_t i = 0; i < 4; ++i) std::ranges::fill(memory.block(i), std::byte{0xEE});

  auto into =
      client->get_into(keys_of(1, 5), SharedMemory::slices(*region, 5), {.timeout = kPatience}, {queue, 10});
  ASSERT_TRUE(into);
  EXPECT_TRUE(client->wait(*into, kPatience));
  EXPECT_EQ(into->result().delivered, 4u);
  EXPECT_EQ(into->result().reasons, std::vector{MissReason::kUnknown});
  for (uint32_t i = 0; i < 4; ++i) {
    EXPECT_TRUE(std::ranges::all_of(memory.block(i), [&](std::byte b) { return b == byte_of(1 + i); })) << i;
  }
  EXPECT_TRUE(client->unregister_region(*region));
  EXPECT_EQ(client->unregister_region(*region).error().code, Code::kNotFound);
}

TEST_F(ClientTest, a_region_put_in_cache_is_copied_within_the_call) {
  start();
  TestClient client(options_.socket);
  const SharedMemory memory(4 * SharedMemory::kStride);
  const auto region = client->register_shared_region(memory.fd(), 0, 4 * SharedMemory::kStride);
  for (uint32_t i = 0; i < 2; ++i) std::ranges::fill(memory.block(i), byte_of(1 + i));
  const auto blocks = specs_of(1, 2);
  const auto outcomes =
      client->put({.root = TestClient::root(), .blocks = blocks}, SharedMemory::slices(*region, 2));
  EXPECT_EQ(*outcomes, std::vector(2, ReserveOutcome::kBuffer));
  std::ranges::fill(memory.block(0), std::byte{0xEE});
  const auto got = client.get(1, 2);
  EXPECT_EQ(got.size(), 2u);
  EXPECT_TRUE(hold_right_bytes(got, 1));
}

TEST_F(ClientTest, families_are_looked_up_together) {
  start();
  TestClient client(options_.socket);
  const Key family = key_of(500);
  const FamilyLayout layout{{{.shards = 2}}};
  std::vector<BlockSpec> members;
  for (uint32_t shard = 0; shard < 2; ++shard) {
    const Member member{0, shard, 2};
    members.push_back({member_key(family, member), kBlock, family, member});
  }
  for (uint32_t shard = 0; shard < 2; ++shard) {
    EXPECT_EQ(client->lookup_families(std::span(&family, 1), layout)->found, 0u) << shard;
    auto answers = client->reserve({.root = TestClient::root(), .blocks = std::span(&members[shard], 1)});
    ASSERT_TRUE((*answers)[0].reservation);
    ASSERT_TRUE(client->commit(std::span(&(*answers)[0].reservation, 1)));
  }
  EXPECT_EQ(client->lookup_families(std::span(&family, 1), layout)->found, 1u);
}

TEST_F(ClientTest, a_stream_passes_more_than_its_window_R9) {
  add_disk();
  start();
  TestClient client(options_.socket);
  ASSERT_EQ(client.store(1, 40), 40u);
  ASSERT_TRUE(client->sync(kPatience));
  auto stream = client->get_stream(keys_of(1, 41), {.window = 1 << 20, .timeout = kPatience});
  ASSERT_TRUE(stream);
  uint32_t n = 1;
  for (auto block = stream->next(); block; block = stream->next(), ++n) {
    EXPECT_EQ(block->bytes.size(), kBlock);
    EXPECT_EQ(block->bytes[100], byte_of(n));
  }
  EXPECT_EQ(stream->delivered(), 40u);
  EXPECT_EQ(stream->reason(), MissReason::kUnknown);
}

TEST_F(ClientTest, a_batch_beyond_the_limit_and_a_closed_store_are_refused) {
  start();
  TestClient client(options_.socket);
  const std::vector<Key> many(kBatchMax + 1);
  EXPECT_EQ(client->lookup(many).error().code, Code::kLimitExceeded);
  EXPECT_EQ(*client->close(kPatience), 0u);
  EXPECT_EQ(client->lookup(keys_of(1, 1)).error().code, Code::kClosed);
  EXPECT_EQ(client->reserve({}).error().code, Code::kClosed);
}

TEST_F(ClientTest, the_largest_batch_goes_through) {
  options_.store.l1.budget = 64 << 20;
  start();
  TestClient client(options_.socket);
  std::vector<Key> keys(kBatchMax);
  for (uint32_t i = 0; i < keys.size(); ++i) keys[i] = key_of(i + 1);
  ASSERT_EQ(client.store(1, 100), 100u);
  for (int round = 0; round < 3; ++round) EXPECT_EQ(client->lookup(keys)->found, 100u);
}

// --- while the server is away

TEST_F(ClientTest, of_a_server_that_went_away_misses_until_a_new_one_is_there) {
  add_disk();
  start();
  TestClient client(options_.socket);
  const Namespace fields{.model_id = "model"};
  const Key root = *client->open_namespace(fields);
  ASSERT_EQ(client.store(1, 4), 4u);
  ASSERT_TRUE(client->sync(kPatience));
  const auto held = client.get(1, 4);
  auto unfinished = client.reserve(11, 2);
  const auto queue = client->make_queue();
  stop();

  EXPECT_EQ(client.lookup(1, 4), 0u);
  EXPECT_EQ(client.reason(1), MissReason::kTierUnavailable);
  EXPECT_EQ(client.get(1, 4).size(), 0u);
  EXPECT_EQ(client.reserve(21, 2).size(), 0u);
  EXPECT_EQ(client->remove(keys_of(1, 1)).error().code, Code::kUnavailable) << "nothing was removed";
  EXPECT_TRUE(client->commit(unfinished, {queue, 5}));
  const auto dropped = events(*queue, EventKind::kWriteBatch);
  ASSERT_EQ(dropped.size(), 1u);
  EXPECT_EQ(dropped[0].cause, DropCause::kUnavailable);
  auto get = client->get_async(keys_of(1, 4), {}, {queue, 6});
  EXPECT_EQ(events(*queue, EventKind::kResult).size(), 1u);
  EXPECT_EQ(get->take()->reasons()[0], MissReason::kTierUnavailable);
  EXPECT_TRUE(hold_right_bytes(held, 1)) << "mapped as long as it is held";

  start();
  EXPECT_TRUE(eventually([&] { return client.lookup(1, 4) == 4; }));
  const auto again = client.get(1, 4);
  EXPECT_EQ(again.size(), 4u);
  EXPECT_TRUE(hold_right_bytes(again, 1));
  EXPECT_TRUE(hold_right_bytes(held, 1));
  EXPECT_EQ(*client->open_namespace(fields), root);
  EXPECT_EQ(client.store(31, 2, {queue, 7}), 2u);
  EXPECT_FALSE(events(*queue, EventKind::kWriteBatch).empty()) << "the queue follows the new connection";
}

TEST_F(ClientTest, erased_bytes_that_are_leased_stay_when_the_server_stops) {
  start();
  TestClient client(options_.socket);
  ASSERT_EQ(client.store(1, 2), 2u);
  const auto held = client.get(1, 2);
  ASSERT_EQ(held.size(), 2u);
  EXPECT_EQ(client->remove(keys_of(1, 2), true), 2u);
  stop();
  EXPECT_TRUE(hold_right_bytes(held, 1));
}

TEST_F(ClientTest, a_queue_and_a_ticket_may_outlive_their_store) {
  start();
  TestClient client(options_.socket);
  ASSERT_EQ(client.store(1, 2), 2u);
  const auto queue = client->make_queue();
  auto ticket = client->prefetch(keys_of(1, 2), {}, {queue, 1});
  ASSERT_TRUE(ticket);
  client.disconnect();
  EXPECT_EQ(events(*queue, EventKind::kResult).size(), 1u);
  std::array<Completion, 1> none;
  EXPECT_EQ(queue->wait(none, std::chrono::milliseconds(1)), 0u);
  EXPECT_TRUE(ticket->progress().ended);
}

TEST_F(ClientTest, a_region_is_known_to_the_next_server_too) {
  add_disk();
  start();
  TestClient client(options_.socket);
  const SharedMemory memory(4 * SharedMemory::kStride);
  const auto region = client->register_shared_region(memory.fd(), 0, 4 * SharedMemory::kStride);
  stop();
  start();
  std::ranges::fill(memory.block(0), byte_of(1));
  const auto blocks = specs_of(1, 1);
  std::vector<ReserveOutcome> outcomes(1, ReserveOutcome::kNoRoom);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (outcomes[0] == ReserveOutcome::kNoRoom && std::chrono::steady_clock::now() < until) {
    const auto put =
        client->put({.root = TestClient::root(), .blocks = blocks}, SharedMemory::slices(*region, 1));
    ASSERT_TRUE(put) << to_string(put.error());
    outcomes = *put;
  }
  EXPECT_EQ(outcomes[0], ReserveOutcome::kBuffer);
}

TEST_F(ClientTest, a_fork_of_a_client_can_neither_ask_nor_write) {
  start();
  TestClient client(options_.socket);
  ASSERT_EQ(client.store(1, 2), 2u);
  auto given = client.reserve(11, 1);
  ASSERT_EQ(given.size(), 1u);
  std::byte* const buffer = given[0].bytes().data();
  // The child says by its exit what it could do; writing the buffer ends it with SIGSEGV.
  const auto in_a_fork = [](const auto& act) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(act());
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
  };
  EXPECT_EQ(in_a_fork([&] { return static_cast<int>(client.lookup(1, 2)); }), 0) << "misses";
  EXPECT_EQ(in_a_fork([&] {
              ::signal(SIGSEGV, SIG_DFL);
              *buffer = std::byte{0xEE};
              return 7;
            }),
            -SIGSEGV);
  std::ranges::fill(given[0].bytes(), byte_of(11));
  EXPECT_TRUE(client->commit(given));
  EXPECT_TRUE(hold_right_bytes(client.get(11, 1), 11));
  EXPECT_EQ(client.lookup(1, 2), 2u) << "the parent goes on";
}

}  // namespace
}  // namespace terrace::server_tests
