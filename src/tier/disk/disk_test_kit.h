// Lives of a disk tier on a simulated disk: what a test stores, reads back, kills and opens again.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/virtual_executor.h"
#include "io/fault_engine.h"
#include "io/scheduler.h"
#include "io/sim/sim_engine.h"
#include "io/sim/sim_file_system.h"
#include "memory/page_buffer.h"
#include "record/record.h"
#include "tier/disk/disk_tier.h"

namespace terrace::tier::disk::test {

inline Key key_of(uint64_t id) {
  Key key;
  uint64_t state = id * 2 + 1;
  for (int i = 0; i < 4; ++i) base::store_le(key.bytes.data() + 8 * i, base::split_mix(state));
  return key;
}

inline record::BlockMeta meta_of(uint64_t id, uint64_t bytes) {
  return {.key = key_of(id),
          .family = key_of(id + 1'000'000),
          .parent = id == 0 ? Key{} : key_of(id - 1),
          .root = key_of(77'777'777),
          .member = {.group = 0, .shard = static_cast<uint32_t>(id % 4), .shards = 4},
          .payload_bytes = bytes};
}

// Every word tells key and position (promises section 4).
inline void fill(std::span<std::byte> payload, uint64_t id) {
  for (uint64_t at = 0; at < payload.size(); at += 8) {
    uint64_t state = id * 0x100000001ull + at;
    const uint64_t word = base::split_mix(state);
    std::memcpy(payload.data() + at, &word, std::min<uint64_t>(8, payload.size() - at));
  }
}

struct Listener final : TierListener {
  std::vector<uint32_t> found(std::span<const FoundBlock> batch) override {
    if (no_memory) throw std::bad_alloc();
    std::vector<uint32_t> unwanted;
    for (uint32_t i = 0; i < batch.size(); ++i) {
      if (!blocks.emplace(batch[i].meta.key, batch[i]).second) unwanted.push_back(i);
    }
    return unwanted;
  }
  void recovered(Result<void>) override { ++recoveries; }
  void gone(const Key& key, Place place) override {
    const auto found = blocks.find(key);
    if (found != blocks.end() && found->second.where.place == place) blocks.erase(found);
    lost.insert(key);
  }
  void state_changed() override { ++changes; }

  std::map<Key, FoundBlock> blocks;  // as the store's index
  std::set<Key> lost;
  int recoveries = 0, changes = 0;
  bool no_memory = false;  // for what recovery finds
};

// Verifies while it arrives, as the store does.
struct Sink final : ReadSink {
  Sink(record::Verifier expected, memory::PageBuffer memory)
      : verifier(std::move(expected)), buffer(std::move(memory)) {}
  void arrived(uint64_t offset, uint64_t bytes) override {
    const uint64_t payload = payload_bytes, part = record::part_bytes(payload);
    for (uint64_t at = offset; at < offset + bytes;) {
      if (at == 0) {
        note(verifier.header(buffer.bytes().first(kPage)));
        at = kPage;
      } else {
        const uint64_t index = (at - kPage) / part, length = std::min(part, payload - index * part);
        note(verifier.part(static_cast<uint32_t>(index), buffer.bytes().subspan(at, length)));
        at += base::round_up(length, kPage);
      }
    }
  }
  void done(Result<void> result) override {
    note(result);
    if (!error && !verifier.complete()) error = Error{Code::kInternal, 0, "done before complete"};
    ++dones;
  }
  void note(Result<void> result) {
    if (!result && !error) error = result.error();
  }

  record::Verifier verifier;
  memory::PageBuffer buffer;
  uint64_t payload_bytes = 0;
  std::optional<Error> error;
  int dones = 0;
};

// A FileSystem whose calls on one path fail with EIO while `failing`.
class FailingPath final : public io::FileSystem {
 public:
  FailingPath(io::FileSystem& files, std::string prefix) : files_(files), prefix_(std::move(prefix)) {}
  bool failing = false;
  bool writes_fail = false;                  // of control records, on any path
  bool removals_fail = false;                // of files, on any path
  bool full = false;                         // allocate() finds no space, on any path
  uint64_t full_from = UINT64_MAX;           // the same for this many bytes and more
  std::optional<std::string> no_memory_for;  // open() of this path throws std::bad_alloc, once

  Result<std::unique_ptr<io::File>> open(const std::string& path, io::OpenOptions options) override {
    if (fails(path)) return error();
    if (no_memory_for == path) {
      no_memory_for.reset();
      throw std::bad_alloc();
    }
    return files_.open(path, options);
  }
  Result<io::FileStat> stat(const std::string& path) override {
    if (fails(path)) return error();
    return files_.stat(path);
  }
  Result<std::vector<std::string>> list(const std::string& path) override {
    if (fails(path)) return error();
    return files_.list(path);
  }
  Result<void> make_directory(const std::string& path) override { return files_.make_directory(path); }
  Result<void> allocate(io::File& file, uint64_t bytes) override {
    if (fails(file.path())) return error();
    if (full || bytes >= full_from) return fail(Code::kNoSpace, "full");
    return files_.allocate(file, bytes);
  }
  Result<void> remove(const std::string& path) override {
    if (removals_fail) return error();
    return files_.remove(path);
  }
  Result<void> sync_directory(const std::string& path) override { return files_.sync_directory(path); }
  Result<std::unique_ptr<io::FileLock>> lock(const std::string& path) override { return files_.lock(path); }
  Result<int64_t> lock_owner(const std::string& path) override { return files_.lock_owner(path); }
  Result<void> read(io::File& file, uint64_t at, std::span<std::byte> to) override {
    return files_.read(file, at, to);
  }
  Result<void> write(io::File& file, uint64_t at, std::span<const std::byte> from) override {
    if (writes_fail) return error();
    return files_.write(file, at, from);
  }
  Result<void> sync(io::File& file) override { return files_.sync(file); }
  std::array<uint8_t, 16> boot_id() override { return files_.boot_id(); }
  void random_bytes(std::span<uint8_t> to) override { files_.random_bytes(to); }

 private:
  bool fails(const std::string& path) const { return failing && path.starts_with(prefix_); }
  static std::unexpected<Error> error() { return fail(Code::kIo, "the device fails", EIO); }

  io::FileSystem& files_;
  const std::string prefix_;
};

inline DiskOptions small_options(std::vector<std::string> paths = {"/a"},
                                 uint64_t capacity = 8 * base::kMiB) {
  DiskOptions options;
  options.capacity_bytes = capacity * paths.size();
  options.paths = std::move(paths);
  options.segment_bytes = base::kMiB;
  return options;
}

class Life {
 public:
  explicit Life(io::SimDisk& disk, DiskOptions options = small_options(), uint64_t seed = 1)
      : disk_(disk), options_(std::move(options)), executor(seed), sim_files_(disk), files(sim_files_, "/b") {
    for (size_t i = 0; i < options_.paths.size(); ++i) {
      plans.push_back(std::make_unique<io::FaultPlan>(seed + i));
      auto engine =
          std::make_unique<io::SimEngine>(disk, executor, executor, io::SimEngineOptions{.seed = seed + i});
      engines_.push_back(
          std::make_unique<io::FaultEngine>(std::move(engine), *plans.back(), executor, executor));
      schedulers_.push_back(std::make_unique<io::IoScheduler>(*engines_.back(), io::SchedulerOptions{}));
    }
  }
  ~Life() { end(); }

  Outcome<void> open(bool start = true) {
    DiskParts parts{executor, executor, files, {}};
    for (const auto& scheduler : schedulers_) parts.schedulers.push_back(*scheduler);
    auto opened = DiskTier::open(options_, parts);
    if (!opened) return std::unexpected(opened.error());
    tier = std::move(*opened);
    if (start) {
      tier->start(listener);
      run([this] { return listener.recoveries > 0; });
    }
    return {};
  }
  void must_open() {
    const auto opened = open();
    ASSERT_TRUE(opened) << opened.error().message;
  }
  // A clean end. kill() and crash() end it the hard way: call them first.
  void end() {
    if (tier) tier->close(base::after(executor.now(), std::chrono::seconds(60)));
    tier.reset();
  }
  void kill() {
    disk_.kill();
    end();
  }
  void crash(uint64_t seed) {
    base::Random random(seed);
    disk_.crash(random);
    end();
  }

  void run(const std::function<bool()>& until, int milliseconds = 20'000) {
    for (int i = 0; i < milliseconds * 10 && !until(); ++i) executor.run_for(std::chrono::microseconds(100));
  }

  // Places, seals and begins the write; `ended` gets its result.
  PlaceAnswer begin_store(uint64_t id, uint64_t bytes, std::function<void(Result<void>)> ended,
                          uint64_t rank = 0) {
    const record::BlockMeta meta = meta_of(id, bytes);
    const PlaceAnswer answer = tier->place(meta);
    if (!answer) return answer;
    auto memory = std::make_shared<memory::PageBuffer>(
        std::move(*memory::PageBuffer::make(record::record_bytes(bytes))));
    const auto payload = memory->bytes().subspan(kPage, bytes);
    fill(payload, id);
    record::PartSums sums;
    record::sum_parts(meta.key, payload, sums);
    record::seal(meta, sums, tier->secret(answer->place), answer->binding, memory->bytes().first(kPage));
    WriteOp op{.meta = meta,
               .place = answer->place,
               .rank = rank,
               .record = {},
               .deadline = base::kForever,
               .done = {}};
    op.deadline = base::after(executor.now(), std::chrono::seconds(2));
    op.record[0] = {memory->data(), memory->size()};
    op.done = [this, meta, where = *answer, memory, ended = std::move(ended), rank](Result<void> result) {
      if (result) listener.blocks.emplace(meta.key, FoundBlock{meta, where, rank});
      if (ended) ended(result);
    };
    tier->write(std::span(&op, 1));
    return answer;
  }
  Result<void> store(uint64_t id, uint64_t bytes, uint64_t rank = 0) {
    std::optional<Result<void>> result;
    const auto answer = begin_store(id, bytes, [&](Result<void> r) { result = r; }, rank);
    if (!answer) return fail(Code::kNoRoom, "refused");
    run([&] { return result.has_value(); });
    return result ? *result : fail(Code::kDeadline, "the write never ended");
  }
  // Frees the oldest block found until it fits, as E2 would.
  Result<void> store_evicting(uint64_t id, uint64_t bytes) {
    for (int i = 0; i < 1000; ++i) {
      std::optional<Result<void>> result;
      const auto answer = begin_store(id, bytes, [&](Result<void> r) { result = r; });
      if (answer) {
        run([&] { return result.has_value(); });
        return result ? *result : fail(Code::kDeadline, "the write never ended");
      }
      if (answer.error().why != Refusal::kNoRoom || listener.blocks.empty()) break;
      evict_for(answer.error());
    }
    return fail(Code::kNoRoom, "no room");
  }
  void evict_for(const PlaceRefused& refused) {
    std::optional<uint32_t> segment;
    for (const auto& [key, block] : listener.blocks) {
      if (block.where.bucket == refused.bucket) return evict(key);
      if (segment_domain(block.where.segment) == refused.domain) segment = block.where.segment;
    }
    std::vector<Key> all;
    for (const auto& [key, block] : listener.blocks) {
      if (block.where.segment == segment) all.push_back(key);
    }
    for (const Key& key : all) evict(key);
  }
  void evict(const Key key) {
    const FoundBlock block = listener.blocks.at(key);
    listener.blocks.erase(key);
    const RemoveOp op{key, block.where.place, block.meta.payload_bytes};
    tier->remove(std::span(&op, 1), RemoveKind::kEvict, [](Result<void>) {});
  }
  Result<void> remove(uint64_t id, RemoveKind kind) {
    const FoundBlock block = listener.blocks.at(key_of(id));
    listener.blocks.erase(key_of(id));
    const RemoveOp op{block.meta.key, block.where.place, block.meta.payload_bytes};
    std::optional<Result<void>> result;
    tier->remove(std::span(&op, 1), kind, [&](Result<void> r) { result = r; });
    run([&] { return result.has_value(); });
    return result ? *result : fail(Code::kDeadline, "the removal never ended");
  }
  Result<void> sync() {
    std::optional<Result<void>> result;
    tier->sync([&](Result<void> r) { result = r; });
    run([&] { return result.has_value(); });
    return result ? *result : fail(Code::kDeadline, "the sync never ended");
  }

  ReadTicket begin_read(const FoundBlock& block, std::shared_ptr<Sink>& sink) {
    const uint64_t bytes = block.meta.payload_bytes;
    sink = std::make_shared<Sink>(record::Verifier(block.meta.key, bytes, tier->secret(block.where.place),
                                                   tier->binding(block.meta.key, block.where.place)),
                                  std::move(*memory::PageBuffer::make(record::record_bytes(bytes))));
    sink->payload_bytes = bytes;
    ReadOp op;
    op.key = block.meta.key;
    op.place = block.where.place;
    op.payload_bytes = bytes;
    // In three pieces, as from a caller's region.
    const uint64_t whole = base::round_down(bytes, kPage);
    op.record[0] = {sink->buffer.data(), kPage};
    op.record[1] = {sink->buffer.data() + kPage, whole};
    op.record[2] = {sink->buffer.data() + kPage + whole, record::record_bytes(bytes) - kPage - whole};
    op.deadline = base::after(executor.now(), std::chrono::seconds(2));
    op.sink = sink;
    return tier->read(std::move(op));
  }
  // The block's bytes are right; kNotFound when the index has it not; else why it could not be read.
  Result<void> check(uint64_t id) {
    const auto found = listener.blocks.find(key_of(id));
    if (found == listener.blocks.end()) return fail(Code::kNotFound, "not in the index");
    std::shared_ptr<Sink> sink;
    begin_read(found->second, sink);
    run([&] { return sink->dones > 0; });
    EXPECT_EQ(sink->dones, 1);
    if (sink->error) return std::unexpected(*sink->error);
    std::vector<std::byte> expected(found->second.meta.payload_bytes);
    fill(expected, id);
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), sink->buffer.data() + kPage))
        << "WRONG BYTES of " << id;
    return {};
  }

 private:
  io::SimDisk& disk_;
  DiskOptions options_;

 public:
  base::VirtualExecutor executor;

 private:
  io::SimFileSystem sim_files_;

 public:
  FailingPath files;
  std::vector<std::unique_ptr<io::FaultPlan>> plans;

 private:
  std::vector<std::unique_ptr<io::IoEngine>> engines_;
  std::vector<std::unique_ptr<io::IoScheduler>> schedulers_;

 public:
  Listener listener;
  std::unique_ptr<DiskTier> tier;
};

}  // namespace terrace::tier::disk::test
