#include "tier/mock/mock_tier.h"

#include <optional>

#include <gtest/gtest.h>

#include "base/virtual_executor.h"
#include "memory/page_buffer.h"

namespace terrace::tier::mock {
namespace {

Key key_of(uint8_t id) {
  Key key;
  key.bytes.fill(id);
  return key;
}

struct Listener final : TierListener {
  std::vector<uint32_t> found(std::span<const FoundBlock> batch) override {
    blocks.insert(blocks.end(), batch.begin(), batch.end());
    return {};
  }
  void recovered(Result<void>) override { ++recoveries; }
  void gone(const Key&, Place) override {}
  void state_changed() override { ++changes; }
  std::vector<FoundBlock> blocks;
  int recoveries = 0, changes = 0;
};

struct Sink final : ReadSink {
  void arrived(uint64_t, uint64_t bytes) override { arrived_bytes += bytes; }
  void done(Result<void> r) override {
    EXPECT_FALSE(result);
    result = r;
  }
  uint64_t arrived_bytes = 0;
  std::optional<Result<void>> result;
};

class MockTierTest : public ::testing::Test {
 protected:
  std::unique_ptr<MockTier> make(MockOptions options = {}) {
    return std::make_unique<MockTier>(options, backing, executor, executor);
  }
  Result<void> store(MockTier& tier, uint8_t id, uint64_t bytes = 5000, uint64_t shift = 0) {
    const record::BlockMeta meta{
        .key = key_of(id), .family = {}, .parent = {}, .root = {}, .member = {}, .payload_bytes = bytes};
    const auto answer = tier.place(meta);
    if (!answer) return fail(Code::kNoRoom, "refused");
    EXPECT_EQ(answer->place, 0u);
    EXPECT_EQ(answer->binding, meta.key.bytes);
    auto buffer = memory::PageBuffer::make(record::record_bytes(bytes) + base::kPage);
    std::memset(buffer->data(), id, buffer->size());
    std::optional<Result<void>> result;
    WriteOp op{.meta = meta,
               .place = 0,
               .rank = id,
               .record = {},
               .deadline = base::after(executor.now(), std::chrono::seconds(1)),
               .done = [&](Result<void> r) { result = r; }};
    op.record[0] = {buffer->data() + shift, record::record_bytes(bytes)};
    tier.write(std::span(&op, 1));
    executor.run_for(std::chrono::seconds(3));
    return result.value_or(fail(Code::kInternal, "never ended"));
  }
  std::shared_ptr<Sink> begin_read(MockTier& tier, uint8_t id, ReadTicket* ticket = nullptr,
                                   uint64_t bytes = 5000) {
    auto sink = std::make_shared<Sink>();
    ReadOp op;
    op.key = key_of(id);
    op.payload_bytes = bytes;
    op.record[0] = {memory.data(), record::record_bytes(bytes)};
    op.deadline = base::after(executor.now(), std::chrono::seconds(1));
    op.sink = sink;
    const ReadTicket given = tier.read(std::move(op));
    if (ticket != nullptr) *ticket = given;
    return sink;
  }
  Result<void> read(MockTier& tier, uint8_t id) {
    const auto sink = begin_read(tier, id);
    executor.run_for(std::chrono::seconds(3));
    return sink->result.value_or(fail(Code::kInternal, "never ended"));
  }

  base::VirtualExecutor executor;
  std::shared_ptr<MockBacking> backing = std::make_shared<MemoryBacking>(64 * base::kKiB);
  memory::PageBuffer memory = std::move(*memory::PageBuffer::make(base::kMiB));
};

TEST_F(MockTierTest, two_tiers_share_one_backing_T3) {
  auto first = make(), second = make({.exact_index = false});
  ASSERT_TRUE(store(*first, 1));
  EXPECT_TRUE(read(*second, 1));
  std::optional<std::vector<uint64_t>> lengths;
  const std::array keys{key_of(1), key_of(2)};
  second->exists(keys, base::kForever, [&](Result<std::vector<uint64_t>> r) { lengths = *r; });
  executor.run_for(std::chrono::seconds(1));
  EXPECT_EQ(lengths, (std::vector<uint64_t>{5000, 0}));
  EXPECT_FALSE(second->capabilities().exact_index);
}

TEST_F(MockTierTest, an_exact_index_is_announced_at_start_T1) {
  ASSERT_TRUE(store(*make(), 3));
  auto tier = make();
  Listener listener;
  tier->start(listener);
  executor.run_for(std::chrono::seconds(1));
  ASSERT_EQ(listener.blocks.size(), 1u);
  EXPECT_EQ(listener.blocks[0].meta.key, key_of(3));
  EXPECT_EQ(listener.blocks[0].rank, 3u);
  EXPECT_EQ(listener.recoveries, 1);
}

TEST_F(MockTierTest, capacity_counts_whole_records_and_reservations) {
  auto tier = make();
  for (uint8_t id = 1; id <= 5; ++id) ASSERT_TRUE(store(*tier, id));
  EXPECT_EQ(store(*tier, 6).error().code, Code::kNoRoom);
  const RemoveOp op{key_of(2), 0, 5000};
  tier->remove(std::span(&op, 1), RemoveKind::kEvict, [](Result<void>) {});
  EXPECT_TRUE(store(*tier, 6));
  EXPECT_EQ(tier->place({.key = key_of(9),
                         .family = {},
                         .parent = {},
                         .root = {},
                         .member = {},
                         .payload_bytes = base::kMiB})
                .error()
                .why,
            Refusal::kTooLarge);
}

TEST_F(MockTierTest, misaligned_buffers_fail_as_on_real_tiers_T3) {
  auto tier = make();
  EXPECT_EQ(store(*tier, 1, 5000, 8).error().code, Code::kInvalidArgument);
  EXPECT_EQ(backing->used_bytes(), 0u);
}

TEST_F(MockTierTest, takes_the_time_its_bandwidth_and_latency_say) {
  auto tier = make({.latency = std::chrono::milliseconds(10), .bytes_per_ns = 0.001});
  ASSERT_TRUE(store(*tier, 1));
  const auto sink = begin_read(*tier, 1);
  executor.run_for(std::chrono::milliseconds(22));  // 12288 bytes at 1 MB/s and 10 ms
  EXPECT_FALSE(sink->result);
  executor.run_for(std::chrono::milliseconds(1));
  EXPECT_TRUE(sink->result);
  EXPECT_EQ(sink->arrived_bytes, record::record_bytes(5000));
}

TEST_F(MockTierTest, a_cancelled_read_ends_at_once_and_once) {
  auto tier = make();
  ASSERT_TRUE(store(*tier, 1));
  ReadTicket ticket = 0;
  const auto sink = begin_read(*tier, 1, &ticket);
  tier->cancel(ticket);
  ASSERT_TRUE(sink->result);
  EXPECT_EQ(sink->result->error().code, Code::kCancelled);
  executor.run_for(std::chrono::seconds(1));
  tier->cancel(ticket);
}

TEST_F(MockTierTest, faults_open_the_breaker_and_probes_close_it_T2) {
  auto tier = make();
  Listener listener;
  tier->start(listener);
  ASSERT_TRUE(store(*tier, 1));
  tier->set_faults({.down = true});
  for (int i = 0; i < 8; ++i) EXPECT_EQ(read(*tier, 1).error().code, Code::kIo);
  EXPECT_FALSE(tier->available(0));
  EXPECT_EQ(read(*tier, 1).error().code, Code::kUnavailable);
  tier->set_faults({});
  executor.run_for(std::chrono::seconds(5));
  EXPECT_TRUE(tier->available(0));
  EXPECT_TRUE(read(*tier, 1));
  EXPECT_EQ(listener.changes, 2);
}

TEST_F(MockTierTest, late_operations_are_failures_T2) {
  auto tier = make();
  ASSERT_TRUE(store(*tier, 1));
  tier->set_faults({.delay = std::chrono::seconds(2)});
  for (int i = 0; i < 8; ++i) begin_read(*tier, 1);
  executor.run_for(std::chrono::milliseconds(2050));
  EXPECT_FALSE(tier->available(0));
}

TEST_F(MockTierTest, close_reports_what_it_abandoned_D3) {
  auto tier = make({.latency = std::chrono::seconds(10)});
  const auto sink = begin_read(*tier, 1);
  EXPECT_EQ(tier->close(base::after(executor.now(), std::chrono::seconds(1))), 1u);
  EXPECT_FALSE(sink->result);
  EXPECT_EQ(tier->close(base::kForever), 0u);
  EXPECT_TRUE(sink->result);
}

TEST_F(MockTierTest, nothing_begins_after_close) {
  auto tier = make();
  ASSERT_TRUE(store(*tier, 1));
  EXPECT_EQ(0u, tier->close(base::kForever));
  std::optional<Result<void>> removed;
  tier->remove({}, RemoveKind::kRemove, [&](Result<void> result) { removed = result; });
  ASSERT_TRUE(removed);
  EXPECT_EQ(Code::kClosed, removed->error().code);
  bool asked = false;
  tier->exists({}, base::kForever, [&](Result<std::vector<uint64_t>> result) { asked = !result; });
  EXPECT_TRUE(asked);
  EXPECT_FALSE(store(*tier, 2));
  EXPECT_EQ(0u, tier->close(base::kForever));
}

}  // namespace
}  // namespace terrace::tier::mock
