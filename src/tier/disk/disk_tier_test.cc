#include "tier/disk/disk_tier.h"

#include <gmock/gmock.h>

#include "tier/disk/disk_test_kit.h"

namespace terrace::tier::disk::test {
namespace {

using ::testing::HasSubstr;
constexpr uint64_t kMiB = base::kMiB;

TEST(DiskTier, returns_what_was_written_T1) {
  io::SimDisk disk;
  Life life(disk);
  life.must_open();
  uint64_t id = 0;
  for (const uint64_t bytes : {1ull, 4095ull, 4096ull, 65536ull, 100'000ull, 700'001ull}) {
    ASSERT_TRUE(life.store(++id, bytes)) << bytes;
    EXPECT_TRUE(life.check(id)) << bytes;
  }
  EXPECT_EQ(life.tier->status().usage.blocks, 6u);
  EXPECT_EQ(life.tier->status().state, State::kReady);
}

TEST(DiskTier, large_records_arrive_in_parts) {
  io::SimDisk disk;
  DiskOptions options = small_options({"/a"}, 64 * kMiB);
  options.segment_bytes = 16 * kMiB;
  Life life(disk, options);
  life.must_open();
  ASSERT_TRUE(life.store(1, 5 * kMiB + 17));
  EXPECT_TRUE(life.check(1));
}

TEST(DiskTier, refuses_records_larger_than_a_segment_K4) {
  io::SimDisk disk;
  Life life(disk);
  life.must_open();
  const auto answer = life.tier->place(meta_of(1, kMiB));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().why, Refusal::kTooLarge);
}

TEST(DiskTier, refuses_misaligned_and_partial_records) {
  io::SimDisk disk;
  Life life(disk);
  life.must_open();
  auto buffer = memory::PageBuffer::make(5 * kPage);
  for (const auto& [shift, bytes] : {std::pair{8ull, 2 * kPage}, {0ull, kPage}, {0ull, 2 * kPage + 512}}) {
    const auto place = life.tier->place(meta_of(1, 4096));
    ASSERT_TRUE(place);
    std::optional<Code> code;
    WriteOp op{.meta = meta_of(1, 4096),
               .place = place->place,
               .rank = 0,
               .record = {},
               .deadline = base::kForever,
               .done = [&](Result<void> r) { code = r ? Code::kInternal : r.error().code; }};
    op.record[0] = {buffer->data() + shift, bytes};
    life.tier->write(std::span(&op, 1));
    EXPECT_EQ(code, Code::kInvalidArgument);
  }
  EXPECT_EQ(life.tier->status().usage.used_bytes, 0u);
}

TEST(DiskTier, never_exceeds_its_capacity_metadata_counted_3a_E5) {
  io::SimDisk disk;
  Life life(disk);
  life.must_open();
  base::Random random(7);
  life.tier->remember_namespace({key_of(77'777'777), {.model_id = "m"}, true});
  for (uint64_t id = 0; id < 600; ++id) {
    ASSERT_TRUE(life.store_evicting(id, 1 + random.below(id % 100 < 50 ? 60'000 : 900'000))) << id;
    const Usage usage = life.tier->status().usage;
    ASSERT_LE(disk.used_bytes(), usage.capacity_bytes) << id;
    ASSERT_LE(usage.allocated_bytes, usage.capacity_bytes);
    // Within 1 % of the file system's own count.
    ASSERT_GE(usage.allocated_bytes + usage.allocated_bytes / 100, disk.used_bytes());
    ASSERT_LE(usage.allocated_bytes, disk.used_bytes() + disk.used_bytes() / 100 + 2 * kPage);
  }
  for (uint64_t id = 0; id < 600; ++id) {
    if (!life.listener.blocks.contains(key_of(id))) continue;
    EXPECT_TRUE(life.check(id)) << id;
  }
}

TEST(DiskTier, names_what_is_wrong_with_its_options_C1) {
  io::SimDisk disk;
  const auto refused = [&](DiskOptions options) {
    Life life(disk, std::move(options));
    const auto opened = life.open();
    return opened ? "opened" : opened.error().message;
  };
  DiskOptions options = small_options();
  options.capacity_bytes = kMiB;
  EXPECT_THAT(refused(options), HasSubstr("1"));
  EXPECT_THAT(refused(options), HasSubstr("too small: at least"));
  options = small_options({"s3://bucket"});
  EXPECT_THAT(refused(options), HasSubstr("s3://bucket"));
  options = small_options();
  options.segment_bytes = 1000;
  EXPECT_THAT(refused(options), HasSubstr("1000"));
  options = small_options({"/a", "file:///a/"});
  EXPECT_THAT(refused(options), HasSubstr("named twice"));
  options = small_options({"file:///a"});
  EXPECT_EQ(refused(options), "opened");
}

TEST(DiskTier, a_removed_block_stays_gone_after_kill_D1) {
  io::SimDisk disk;
  {
    Life life(disk);
    life.must_open();
    for (uint64_t id = 1; id <= 4; ++id) ASSERT_TRUE(life.store(id, 50'000));
    ASSERT_TRUE(life.remove(1, RemoveKind::kRemove));
    life.kill();
  }
  Life life(disk);
  life.must_open();
  EXPECT_FALSE(life.listener.blocks.contains(key_of(1)));
  for (uint64_t id = 2; id <= 4; ++id) EXPECT_TRUE(life.check(id));
}

TEST(DiskTier, a_removal_also_buries_earlier_evicted_copies_D1) {
  io::SimDisk disk;
  {
    Life life(disk);
    life.must_open();
    ASSERT_TRUE(life.store(1, 50'000));
    ASSERT_TRUE(life.store(3, 50'000));  // keeps the segment's class
    life.evict(key_of(1));
    ASSERT_TRUE(life.store(2, 30'000));  // another class: the first copy's slot is not used again
    std::optional<Result<void>> ended;
    life.tier->remove({}, RemoveKind::kRemove, [&](Result<void> r) { ended = r; });
    life.run([&] { return ended.has_value(); });
    ASSERT_TRUE(ended && *ended);
    life.kill();
  }
  Life life(disk);
  life.must_open();
  EXPECT_FALSE(life.listener.blocks.contains(key_of(1)));
  EXPECT_TRUE(life.check(2));
}

TEST(DiskTier, an_evicted_slot_is_reused_at_once_and_never_answers_for_the_old_block_P1) {
  io::SimDisk disk;
  Life life(disk);
  life.must_open();
  ASSERT_TRUE(life.store(1, 50'000));
  const FoundBlock old = life.listener.blocks.at(key_of(1));
  life.evict(key_of(1));
  const auto again = life.tier->place(meta_of(2, 50'000));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->place, old.where.place);
  EXPECT_NE(again->binding, old.where.binding);
  life.tier->withdraw(again->place, 50'000);
  ASSERT_TRUE(life.store(2, 50'000));
  std::shared_ptr<Sink> sink;
  life.begin_read(old, sink);
  EXPECT_EQ(sink->error->code, Code::kNotFound);
  EXPECT_TRUE(life.check(2));
  // Removing by the old name does not touch the new block.
  life.listener.blocks.emplace(key_of(1), old);
  ASSERT_TRUE(life.remove(1, RemoveKind::kRemove));
  EXPECT_TRUE(life.check(2));
}

TEST(DiskTier, erase_overwrites_the_bytes_D1) {
  io::SimDisk disk;
  Life life(disk);
  life.must_open();
  ASSERT_TRUE(life.store(1, 50'000));
  ASSERT_TRUE(life.remove(1, RemoveKind::kErase));
  const auto bytes = disk.contents("/a/000000.data");
  ASSERT_TRUE(bytes);
  EXPECT_TRUE(std::ranges::all_of(*bytes, [](std::byte b) { return b == std::byte{0}; }));
  EXPECT_EQ(life.tier->status().usage.used_bytes, 0u);
}

TEST(DiskTier, a_removal_during_a_write_takes_effect_after_it) {
  io::SimDisk disk;
  Life life(disk);
  life.must_open();
  std::vector<std::string> events;
  const auto place =
      life.begin_store(1, 50'000, [&](Result<void> r) { events.push_back(r ? "written" : "failed"); });
  ASSERT_TRUE(place);
  const RemoveOp op{key_of(1), place->place, 50'000};
  life.tier->remove(std::span(&op, 1), RemoveKind::kRemove,
                    [&](Result<void>) { events.push_back("removed"); });
  life.run([&] { return events.size() == 2; });
  EXPECT_EQ(events, (std::vector<std::string>{"written", "removed"}));
  EXPECT_EQ(life.tier->status().usage.used_bytes, 0u);
}

TEST(DiskTier, a_segment_given_another_class_while_its_entries_are_cleared_is_laid_out_after_them) {
  for (int wait_us = 0; wait_us < 600; wait_us += 20) {
    io::SimDisk disk;
    Life life(disk, small_options({"/a"}, 3 * kMiB));
    life.must_open();
    for (uint64_t id = 1; id <= 40; ++id) ASSERT_TRUE(life.store(id, 40'000));
    std::optional<Result<void>> synced;
    for (uint64_t id = 1; id <= 40; ++id) life.evict(key_of(id));
    life.tier->sync([&](Result<void> r) { synced = r; });
    life.executor.run_for(std::chrono::microseconds(wait_us));
    for (uint64_t id = 100; id < 106; ++id) ASSERT_TRUE(life.store(id, 300'000)) << wait_us;
    life.run([&] { return synced.has_value(); });
    for (uint64_t id = 100; id < 106; ++id) ASSERT_TRUE(life.check(id)) << wait_us;
    life.kill();
    Life after(disk, small_options({"/a"}, 3 * kMiB));
    after.must_open();
    EXPECT_EQ(after.listener.blocks.size(), 6u) << wait_us;
    for (uint64_t id = 100; id < 106; ++id) ASSERT_TRUE(after.check(id)) << wait_us;
  }
}

TEST(DiskTier, a_cancelled_read_ends_once_R5) {
  io::SimDisk disk;
  DiskOptions options = small_options({"/a"}, 128 * kMiB);
  options.segment_bytes = 32 * kMiB;
  Life life(disk, options);
  life.must_open();
  ASSERT_TRUE(life.store(1, 30 * kMiB));
  std::shared_ptr<Sink> sink;
  const ReadTicket ticket = life.begin_read(life.listener.blocks.at(key_of(1)), sink);
  life.tier->cancel(ticket);
  life.run([&] { return sink->dones > 0; });
  EXPECT_EQ(sink->dones, 1);
  ASSERT_TRUE(sink->error);
  EXPECT_EQ(sink->error->code, Code::kCancelled);
  EXPECT_TRUE(life.check(1));
}

TEST(DiskTier, a_full_device_degrades_and_comes_back_by_itself_P8) {
  io::SimDisk disk;
  Life life(disk);
  life.must_open();
  ASSERT_TRUE(life.store(1, 500'000));
  life.files.full = true;
  EXPECT_EQ(life.store(2, 900'000).error().code, Code::kNoSpace);
  EXPECT_EQ(life.tier->status().state, State::kDegraded);
  ASSERT_TRUE(life.store(3, 500'000)) << "works within the segments it has";
  const auto refused = life.tier->place(meta_of(4, 900'000));
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().segments_help);
  life.files.full = false;
  life.executor.run_for(std::chrono::milliseconds(1100));
  EXPECT_TRUE(life.store(4, 900'000));
  EXPECT_TRUE(life.check(1) && life.check(3) && life.check(4));
}

TEST(DiskTier, a_segment_whose_data_found_no_space_is_none_after_a_restart_E5_P8) {
  io::SimDisk disk;
  uint64_t allocated = 0;
  {
    Life life(disk);
    life.must_open();
    ASSERT_TRUE(life.store(1, 500'000));
    allocated = life.tier->status().usage.allocated_bytes;
    life.files.full_from = 600'000;  // room for the slot table, none for the data
    EXPECT_EQ(life.store(2, 900'000).error().code, Code::kNoSpace);
  }
  Life life(disk);
  life.files.full_from = 600'000;
  life.must_open();
  EXPECT_LE(life.tier->status().usage.allocated_bytes, allocated + (64u << 10)) << "a slot table more";
  EXPECT_TRUE(life.store(3, 500'000)) << "works within the segments it has";
  life.files.full_from = UINT64_MAX;
  life.executor.run_for(std::chrono::milliseconds(1100));
  EXPECT_TRUE(life.store(2, 900'000));
}

TEST(DiskTier, something_else_in_place_of_a_segments_files_costs_that_segment_only) {
  io::SimDisk disk;
  Life life(disk);
  life.must_open();
  ASSERT_TRUE(life.store(1, 500'000));
  ASSERT_TRUE(disk.make_directory("/a/000001.data", disk.lives()));
  EXPECT_EQ(life.store(2, 900'000).error().code, Code::kForeign);
  EXPECT_EQ(life.tier->status().state, State::kDegraded);
  EXPECT_TRUE(life.store(3, 900'000)) << "the others can be laid out, and at once";
  EXPECT_TRUE(life.check(1) && life.check(3));
}

TEST(DiskTier, remembers_namespaces_and_rebuilds_unknown_ones) {
  io::SimDisk disk;
  const std::string digest(64, 'a');
  {
    Life life(disk);
    life.must_open();
    life.tier->remember_namespace({key_of(77'777'777), {.model_id = "model", .tenant_salt = digest}, true});
    life.tier->remember_namespace({key_of(5), {.model_id = "secret", .tenant_salt = "plain salt"}, true});
    ASSERT_TRUE(life.store(1, 1000));
    ASSERT_TRUE(life.sync());
  }
  {
    Life life(disk);
    life.must_open();
    const auto known = life.tier->namespaces();
    ASSERT_EQ(known.size(), 1u) << "a plain salt never reaches the disk";
    EXPECT_EQ(known[0].fields.model_id, "model");
    EXPECT_EQ(known[0].fields.tenant_salt, digest);
  }
  ASSERT_TRUE(disk.fill("/a/namespaces", 0, 100, std::byte{0xFF}));
  Life life(disk);
  life.must_open();
  const auto known = life.tier->namespaces();
  ASSERT_EQ(known.size(), 1u);
  EXPECT_FALSE(known[0].known);
  EXPECT_EQ(known[0].root, key_of(77'777'777));
}

TEST(DiskTier, order_of_use_survives_a_restart_E5) {
  io::SimDisk disk;
  {
    Life life(disk);
    life.must_open();
    for (uint64_t id = 1; id <= 3; ++id) ASSERT_TRUE(life.store(id, 20'000, 10 * id));
    life.tier->used(life.listener.blocks.at(key_of(1)).where.place, 99);
  }
  Life life(disk);
  life.must_open();
  EXPECT_EQ(life.listener.blocks.at(key_of(1)).rank, 99u);
  EXPECT_EQ(life.listener.blocks.at(key_of(3)).rank, 30u);
}

TEST(DiskTier, is_silent_when_idle_P14) {
  io::SimDisk disk;
  Life life(disk);
  life.must_open();
  ASSERT_TRUE(life.store(1, 20'000));
  life.executor.run_for(std::chrono::seconds(10));
  const uint64_t before = life.executor.tasks_run();
  life.executor.run_for(std::chrono::hours(1));
  EXPECT_EQ(life.executor.tasks_run(), before);
}

}  // namespace
}  // namespace terrace::tier::disk::test
