// Calls whose arguments stand at their limits.
#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include "lab/kit/oracle.h"
#include "lab/rows/extremes_stage.h"
#include "memory/page_buffer.h"
#include "record/record.h"

namespace terrace::lab {
namespace {

constexpr uint64_t kTwo32 = uint64_t{1} << 32;
constexpr std::array<uint64_t, 10> kBeyondBlocks{
    kBlockBytesMax + 1, kTwo32 - base::kPage, kTwo32 - 1, kTwo32,         kTwo32 + 1,
    kTwo32 + 4096,      uint64_t{1} << 63,    INT64_MAX,  UINT64_MAX - 1, UINT64_MAX};
const std::array<Timeout, 7> kTimeouts{Timeout(0),
                                       Timeout(1),
                                       Timeout(-1),
                                       Timeout(-2),
                                       Timeout::min(),
                                       Timeout::max(),
                                       Timeout::max() - Timeout(1)};

Key odd_key(base::Random& random) {
  Key key;
  for (auto& byte : key.bytes) byte = static_cast<uint8_t>(random.next());
  return key;
}

// What no refused call may change.
std::array<uint64_t, 5> traces(Store& store) {
  const StoreStats stats = store.stats();
  return {stats.reservations, stats.reserved_bytes, stats.leased_blocks, stats.private_bytes,
          stats.writes_in_flight_bytes};
}

// Stores one block of one page's bytes and reads it back, from L1 and after a restart from the disk.
void check_round_trip(ExtremesStage& stage, std::span<const BlockSpec> specs, std::string_view what) {
  auto answers = stage.store().reserve({.root = stage.catalog().root(0), .parent = {}, .blocks = specs});
  stage.expect(answers.has_value(), std::string(what) + ": reserve");
  if (!answers) return;
  std::vector<Reservation> filled;
  for (auto& answer : *answers) {
    if (!answer.reservation) continue;
    fill(answer.reservation.key(), 1, answer.reservation.bytes());
    filled.push_back(std::move(answer.reservation));
  }
  stage.expect(filled.size() == specs.size(), std::string(what) + ": not every block got a buffer");
  (void)stage.store().commit(filled);
  stage.expect(stage.store().sync(std::chrono::seconds(30)).has_value(), std::string(what) + ": sync");
  for (int life = 0; life < 2; life++) {
    for (const BlockSpec& spec : specs) {
      const auto got = stage.store().get(std::span(&spec.key, 1), {.timeout = std::chrono::seconds(10)});
      const bool there = got && got->size() == 1;
      stage.expect(there, fmt::format("{}: missing{}", what, life == 0 ? "" : " after a restart"));
      if (!there) continue;
      const BlockView& view = (*got)[0];
      if (view.key != spec.key || view.bytes.size() != spec.bytes || !verify(spec.key, view.bytes, 1).right)
        stage.findings().fail_wrong(std::string(what) + ": other bytes than were stored");
    }
    if (life == 0) stage.restart();
  }
}

}  // namespace

void try_block_sizes(ExtremeRound& round) {
  StageOptions options = ExtremesStage::usual(round.number);
  options.machine.store.l1.budget = 32 * base::kMiB;  // a segment for each size
  ExtremesStage stage(options, round.findings, round.context);
  stage.start();
  const auto before = traces(stage.store());
  const auto reserve = [&](uint64_t bytes, Member member = {}) {
    const BlockSpec spec{.key = odd_key(round.random), .bytes = bytes, .member = member};
    return stage.store().reserve(
        {.root = stage.catalog().root(0), .parent = {}, .blocks = std::span(&spec, 1)});
  };
  stage.expect_code(reserve(0), Code::kInvalidArgument, "a block of no bytes");
  for (const uint64_t bytes : kBeyondBlocks)
    stage.expect_code(reserve(bytes), Code::kLimitExceeded, fmt::format("a block of {} bytes", bytes));
  stage.expect_code(reserve(kBlockBytesMax), Code::kLimitExceeded, "a block larger than an L1 segment");
  stage.expect_code(reserve(1, {.shard = 0, .shards = 0}), Code::kInvalidArgument, "a family of no shards");
  stage.expect_code(reserve(1, {.shard = UINT32_MAX, .shards = UINT32_MAX}), Code::kInvalidArgument,
                    "a shard beyond its family");
  stage.expect(reserve(1, {.group = UINT32_MAX, .shard = UINT32_MAX - 1, .shards = UINT32_MAX}).has_value(),
               "the last shard of the largest family");
  stage.expect(traces(stage.store()) == before, "a refused or dropped reservation left something");

  // Every size at which something begins: a byte, words, pages, parts, what is left of a slot.
  std::vector<BlockSpec> specs;
  for (const uint64_t base : {uint64_t{1}, uint64_t{8}, base::kPage, 2 * base::kPage, 31 * base::kPage}) {
    for (const uint64_t bytes : {base - 1, base, base + 1}) {
      if (bytes > 0) specs.push_back({.key = odd_key(round.random), .bytes = bytes});
    }
  }
  check_round_trip(stage, specs, "blocks of every edge");
}

void try_region_slices(ExtremeRound& round) {
  StageOptions options = ExtremesStage::usual(round.number);
  constexpr std::array kModes{L1Mode::kCache, L1Mode::kStaging, L1Mode::kOff};
  options.machine.store.l1.mode = kModes[round.random.below(3)];
  ExtremesStage stage(options, round.findings, round.context);
  stage.start();
  constexpr uint64_t kBytes = 16 * base::kPage;
  auto memory = memory::PageBuffer::make(kBytes);
  if (!memory) return stage.fail("no memory");
  Store& store = stage.store();
  stage.expect_code(store.register_region(nullptr, 1), Code::kInvalidArgument, "a region at null");
  stage.expect_code(store.register_region(memory->data(), 0), Code::kInvalidArgument, "an empty region");
  stage.expect_code(store.register_region(memory->data(), UINT64_MAX), Code::kInvalidArgument,
                    "a region beyond all memory");
  const auto region = store.register_region(memory->data(), kBytes);
  if (!region) return stage.fail("a region was refused");
  stage.expect_code(store.register_region(memory->data() + kBytes - 1, 2), Code::kInvalidArgument,
                    "a region that overlaps another");
  stage.expect_code(store.unregister_region(0), Code::kNotFound, "region 0");
  stage.expect_code(store.unregister_region(UINT64_MAX), Code::kNotFound, "a region never registered");

  const auto before = traces(store);
  const Key key = odd_key(round.random);
  const std::array<std::pair<uint64_t, uint64_t>, 9> kSlices{{{0, 0},
                                                              {kBytes, 1},
                                                              {0, kBytes + 1},
                                                              {1, kBytes},
                                                              {UINT64_MAX, 1},
                                                              {UINT64_MAX, UINT64_MAX},
                                                              {kBytes - 1, 2},
                                                              {base::kPage, UINT64_MAX - base::kPage + 1},
                                                              {kTwo32, kTwo32}}};
  for (const auto& [offset, bytes] : kSlices) {
    const RegionSlice slice{.region = *region, .offset = offset, .bytes = bytes};
    const BlockSpec spec{.key = key, .bytes = bytes};
    const ReserveRequest request{
        .root = stage.catalog().root(0), .parent = {}, .blocks = std::span(&spec, 1)};
    const std::string what = fmt::format("slice at {} of {} bytes", offset, bytes);
    stage.expect(!store.put(request, std::span(&slice, 1)), "put from a " + what);
    stage.expect(!store.get_into(std::span(&key, 1), std::span(&slice, 1)), "get_into a " + what);
  }
  stage.expect(traces(store) == before, "a refused slice left something");
  stage.expect(store.unregister_region(*region).has_value(), "the region is still in use");
}

void try_batches(ExtremeRound& round) {
  StageOptions options = ExtremesStage::usual(round.number);
  options.machine.store.l1.mode = round.random.one_in(2) ? L1Mode::kStaging : L1Mode::kCache;
  ExtremesStage stage(options, round.findings, round.context);
  stage.start();
  stage.store_all();
  Store& store = stage.store();
  const Key known = stage.catalog()[stage.catalog().chain(0)[0]].key;
  constexpr GetOptions kGet{.timeout = std::chrono::seconds(10)};

  // A batch as large as may be, of one key that is there, is answered for each.
  const std::vector<Key> same(kBatchMax, known);
  const auto all = store.get(same, kGet);
  stage.expect(all && all->size() == kBatchMax, "65,536 times one key");
  const auto places = store.lookup(same);
  stage.expect(places && places->found == kBatchMax, "lookup of 65,536 times one key");

  std::vector<Key> keys(kBatchMax + 1);
  for (size_t i = 0; i < keys.size(); i++) {
    keys[i] = odd_key(round.random);
  }
  std::vector<BlockSpec> specs(keys.size());
  for (size_t i = 0; i < keys.size(); i++) specs[i] = {.key = keys[i], .bytes = 1};
  const auto before = traces(store);
  for (const size_t count : {size_t{0}, size_t{1}, kBatchMax, kBatchMax + 1}) {
    const std::span some(keys.data(), count);
    const bool fits = count <= kBatchMax;
    const auto answers = [&](auto&& answer, std::string_view call) {
      stage.expect(answer.has_value() == fits && (fits || answer.error().code == Code::kLimitExceeded),
                   fmt::format("{} of {} keys", call, count));
    };
    answers(store.lookup(some), "lookup");
    answers(store.get(some, kGet), "get");
    answers(store.get_async(some, kGet), "get_async");
    answers(store.prefetch(some), "prefetch");
    answers(store.lookup_async(some), "lookup_async");
    answers(store.remove(some), "remove");
    answers(store.get_stream(some), "get_stream");
    answers(store.lookup_families(some, {}), "lookup_families");
    // As many as fit get a buffer, the rest none; nothing was committed, so nothing stays.
    auto reserved = store.reserve(
        {.root = stage.catalog().root(0), .parent = {}, .blocks = std::span(specs.data(), count)});
    stage.expect(!fits || (reserved && reserved->size() == count), "answers of reserve");
    answers(reserved, "reserve");
  }
  stage.pass(std::chrono::seconds(40));
  stage.expect(traces(store) == before, "batches of unknown keys left something");
  stage.check_all();
}

// Whatever the deadline: an answer, by it, and the right bytes if any.
void try_deadlines(ExtremeRound& round) {
  StageOptions options = ExtremesStage::usual(round.number);
  options.machine.store.l1.mode = L1Mode::kStaging;  // everything has to be read
  ExtremesStage stage(options, round.findings, round.context);
  stage.start();
  stage.store_all();
  Store& store = stage.store();
  const auto chain = stage.catalog().chain(static_cast<uint32_t>(round.random.below(12)));
  std::vector<Key> keys;
  for (const uint32_t block : chain) keys.push_back(stage.catalog()[block].key);
  const BlockSpec spec{.key = odd_key(round.random), .bytes = 100};
  const ReserveRequest request{.root = stage.catalog().root(0), .parent = {}, .blocks = std::span(&spec, 1)};
  const auto queue = store.make_queue();
  std::array<Completion, 4> events;
  for (const Timeout timeout : kTimeouts) {
    const std::string what = fmt::format("with {} ns", timeout.count());
    const bool endless = timeout > std::chrono::hours(1) || timeout == kDefaultTimeout;
    const auto got = store.get(keys, {.timeout = timeout});
    stage.expect(got && got->size() + got->reasons().size() == keys.size(), "get " + what);
    stage.expect(!endless || (got && got->size() == keys.size()), "get in time " + what);
    for (size_t i = 0; got && i < got->size(); i++) {
      if (!verify(keys[i], (*got)[i].bytes, 1).right) stage.findings().fail_wrong("get " + what);
    }
    auto running = store.get_async(keys, {.timeout = timeout});
    auto asked = store.lookup_async(keys, timeout);
    auto stream = store.get_stream(keys, {.window = 1, .timeout = timeout});
    stage.expect(running && asked && stream, "asynchronous calls " + what);
    while (stream && stream->next().has_value()) {
    }
    stage.expect(stream && (!endless || stream->delivered() == keys.size()), "get_stream " + what);
    stage.pass(std::chrono::seconds(6));
    stage.expect(running && running->ready() && asked && asked->ready(), "no answer " + what);
    stage.expect(store.reserve_wait(request, timeout).has_value(), "reserve_wait " + what);
    stage.expect(store.wait_recovered(timeout), "wait_recovered " + what);
    const auto synced = store.sync(timeout);
    stage.expect(synced || (!endless && synced.error().code == Code::kDeadline), "sync " + what);
    stage.expect(store.drain_tier("disk", timeout).has_value(), "drain_tier " + what);
    stage.expect(store.resume_tier("disk").has_value(), "resume_tier " + what);
    if (!endless) stage.expect(queue->wait(events, timeout) == 0, "an event that nobody owes " + what);
  }
  stage.pass(std::chrono::seconds(1));
  stage.check_all();
  stage.client().release_all();
  const auto closed = store.close(kTimeouts[round.random.below(kTimeouts.size())]);
  stage.expect(closed.has_value(), "close");
}

// Keys that look like nothing, like each other, or like each other's hashes.
void try_odd_keys(ExtremeRound& round) {
  ExtremesStage stage(ExtremesStage::usual(round.number), round.findings, round.context);
  stage.start();
  std::vector<Key> keys;
  Key ones;
  ones.bytes.fill(0xFF);
  keys.push_back(ones);
  const Key one = odd_key(round.random);
  for (size_t byte = 0; byte < one.bytes.size(); byte++) {
    Key other = one;
    other.bytes[byte] ^= static_cast<uint8_t>(1 << round.random.below(8));
    keys.push_back(other);
  }
  for (int word = 0; word < 4; word++) {  // one word in common, so that shards and buckets are too
    for (int i = 0; i < 24; i++) {
      Key other = odd_key(round.random);
      std::memcpy(other.bytes.data() + 8 * word, one.bytes.data() + 8 * word, 8);
      keys.push_back(other);
    }
  }
  std::vector<BlockSpec> specs;
  for (const Key& key : keys) specs.push_back({.key = key, .bytes = 8 + round.random.below(3000)});
  check_round_trip(stage, specs, "odd keys");
  // The key of no bytes stands for no parent; as a block it is a block, or refused, and nothing else.
  const BlockSpec zero{.key = {}, .bytes = 64};
  auto answers =
      stage.store().reserve({.root = stage.catalog().root(0), .parent = {}, .blocks = std::span(&zero, 1)});
  stage.expect(answers || answers.error().code == Code::kInvalidArgument, "the zero key");
  answers = {};
  const auto missing = stage.store().get(std::span(&one, 1), {.timeout = std::chrono::seconds(1)});
  stage.expect(missing && missing->size() == 0, "a key between others that was never stored");
}

void try_families(ExtremeRound& round) {
  ExtremesStage stage(ExtremesStage::usual(round.number), round.findings, round.context);
  stage.start();
  Store& store = stage.store();
  std::vector<Key> families(kBatchMax);
  for (Key& family : families) family = odd_key(round.random);
  const auto ask = [&](size_t count, const std::vector<FamilyGroup>& groups) {
    return store.lookup_families(std::span(families.data(), count), {.groups = groups});
  };
  stage.expect_code(ask(1, {{.shards = 0}}), Code::kInvalidArgument, "a group of no shards");
  stage.expect_code(ask(1, {{.shards = UINT32_MAX}}), Code::kLimitExceeded, "2^32 - 1 shards");
  stage.expect_code(ask(2, {{.shards = uint32_t{1} << 15}, {.shards = 1}}), Code::kLimitExceeded,
                    "one member too many");
  stage.expect(ask(2, {{.shards = uint32_t{1} << 15}}).has_value(), "65,536 members");
  stage.expect_code(ask(kBatchMax, {{.shards = 2}}), Code::kLimitExceeded, "131,072 members");
  // So many that their number is 2^64.
  stage.expect_code(ask(kBatchMax, std::vector<FamilyGroup>(size_t{1} << 17, {.shards = uint32_t{1} << 31})),
                    Code::kLimitExceeded, "2^64 members");
  const auto windowed = ask(kBatchMax, {{.shards = 1, .window = UINT32_MAX}});
  stage.expect(windowed && windowed->found == 0 && windowed->reasons.size() == kBatchMax,
               "a window of 2^32 - 1");
}

}  // namespace terrace::lab
