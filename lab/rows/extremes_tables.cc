// Tables, queues and credits that are full, and options at their limits.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "lab/rows/extremes_stage.h"

namespace terrace::lab {
namespace {

constexpr Timeout kTimeout = std::chrono::seconds(10);
constexpr auto kNoRoom = static_cast<size_t>(DropCause::kNoRoom);
constexpr auto kBacklog = static_cast<size_t>(DropCause::kBacklog);

}  // namespace

// Everything in L1 is leased: nothing can make room, and all of it does when the leases go.
void fill_l1_with_leases(ExtremeRound& round) {
  StageOptions options = ExtremesStage::usual(round.number);
  options.machine.store.l1.budget = 4 * base::kMiB;
  options.catalog.chains = 200;
  options.catalog.bytes_max = 64 * base::kKiB;
  options.machine.disk.capacity_bytes = 64 * base::kMiB;
  ExtremesStage stage(options, round.findings, round.context);
  stage.start();
  stage.store_all();
  std::vector<Blocks> leases;
  bool full = false;
  for (uint32_t block = 0; block < stage.catalog().size() && !full; block++) {
    auto got = stage.store().get(std::span(&stage.catalog()[block].key, 1), {.timeout = kTimeout});
    full = got && got->size() == 0 && got->reasons()[0] == MissReason::kNoRoom;
    if (got && got->size() == 1) leases.push_back(std::move(*got));
  }
  stage.expect(full, "L1 is never full of leases");
  // What slots of one size are left over go to reservations, and then there is no room.
  const auto reserve = [&](uint8_t number) {
    const BlockSpec spec{.key = {.bytes = {number, 2, 3}}, .bytes = 64 * base::kKiB};
    auto answers =
        stage.store().reserve({.root = stage.catalog().root(0), .parent = {}, .blocks = std::span(&spec, 1)});
    return answers ? std::move((*answers)[0]) : ReserveAnswer{};
  };
  std::vector<ReserveAnswer> reserved;
  for (uint8_t i = 0; i < 100 && (reserved.empty() || reserved.back().reservation); i++)
    reserved.push_back(reserve(i));
  stage.expect(!reserved.back().reservation, "room for a hundred reservations among leases");
  const StoreStats stats = stage.store().stats();
  stage.expect(stats.tiers[0].used_bytes <= stats.tiers[0].capacity_bytes, "L1 is beyond its budget");
  leases.clear();
  reserved.clear();
  stage.expect(reserve(0).outcome == ReserveOutcome::kBuffer, "no room without leases");
  stage.check_all();
}

// Every slot of the disk is taken, and nothing may go: what comes is dropped, what is there stays.
void fill_disk_that_never_evicts(ExtremeRound& round) {
  StageOptions options = ExtremesStage::usual(round.number);
  options.machine.disk_rules.eviction = "noop";
  options.machine.disk.capacity_bytes = 2 * base::kMiB;
  options.machine.store.l1.mode = L1Mode::kStaging;
  options.catalog.chains = 80;
  ExtremesStage stage(options, round.findings, round.context);
  for (int life = 0; life < 2; life++) {
    stage.start();
    stage.store_all();
    const TierStats disk = stage.disk();
    stage.expect(disk.drops[kNoRoom] > 0, "the disk is never full");
    stage.expect(disk.evictions == 0, "evicted under a policy that evicts nothing");
    stage.expect(disk.allocated_bytes <= disk.capacity_bytes, "beyond the capacity");
    stage.check_all();
    stage.stop();
  }
}

// Nearly every block its own size: more sizes than there may be classes.
void fill_size_classes(ExtremeRound& round) {
  StageOptions options = ExtremesStage::usual(round.number);
  options.catalog.mix = SizeMix::kMany;
  options.catalog.chains = 60;
  options.catalog.bytes_max = 120 * base::kKiB;
  options.machine.disk.capacity_bytes = 64 * base::kMiB;
  ExtremesStage stage(options, round.findings, round.context);
  stage.start();
  stage.store_all();
  stage.check_all();
  stage.restart();
  stage.check_all();
  stage.expect(stage.disk().evictions == 0, "evicted with room to spare");
}

// More namespaces than the table on disk holds: the last ones are known by their root only.
void fill_namespace_table(ExtremeRound& round) {
  constexpr uint32_t kNamespaces = 3000;
  ExtremesStage stage(ExtremesStage::usual(round.number), round.findings, round.context);
  stage.start();
  const std::string long_name(65'536, 'm');
  stage.expect(stage.store().open_namespace({.model_id = long_name}).has_value(), "a field of 64 KiB");
  stage.expect(!stage.store().open_namespace({.model_id = long_name + "m"}), "a field beyond 64 KiB");
  for (uint32_t i = 0; i < kNamespaces; i++) {
    const Namespace fields{.model_id = fmt::format("model {}", i), .block_tokens = UINT32_MAX - i};
    if (!stage.store().open_namespace(fields)) return stage.fail("a namespace was refused");
  }
  stage.store_all();
  stage.expect(stage.store().namespaces().size() >= kNamespaces, "namespaces are forgotten");
  stage.restart();
  stage.expect(stage.disk().allocated_bytes <= stage.disk().capacity_bytes, "beyond the capacity");
  stage.check_all();
}

// store.bytes_in_flight is one record: what comes beside it is refused and counted, never queued.
void fill_write_credit(ExtremeRound& round) {
  StageOptions options = ExtremesStage::usual(round.number);
  options.machine.store.store_bytes_in_flight = 1 + round.random.below(64 * base::kKiB);
  options.catalog.chains = 40;
  ExtremesStage stage(options, round.findings, round.context);
  stage.start();
  for (uint32_t chain = 0; chain < stage.catalog().chains(); chain++) {
    Operation operation;
    operation.kind = OpKind::kStore;
    operation.chain = chain;
    operation.count = static_cast<uint32_t>(stage.catalog().chain(chain).size());
    stage.client().run(operation);
    const uint64_t in_flight = stage.store().stats().writes_in_flight_bytes;
    stage.expect(in_flight <= options.machine.store.store_bytes_in_flight, "more in flight than allowed");
  }
  stage.settle();
  stage.expect(stage.disk().drops[kBacklog] > 0, "nothing was refused");
  stage.expect(stage.store().stats().writes_in_flight_bytes == 0, "credit was lost");
  stage.check_all();
}

// One block's bytes of credit for many prefetches of everything: they wait, in order, and all end.
void fill_prefetch_queue(ExtremeRound& round) {
  StageOptions options = ExtremesStage::usual(round.number);
  options.machine.store.prefetch_bytes_in_flight = 1 + round.random.below(32 * base::kKiB);
  options.machine.store.l1.mode = L1Mode::kStaging;
  ExtremesStage stage(options, round.findings, round.context);
  stage.start();
  stage.store_all();
  std::vector<PrefetchTicket> tickets;
  for (uint32_t times = 0; times < 100; times++) {
    const auto chain = stage.catalog().chain(times % stage.catalog().chains());
    std::vector<Key> keys;
    for (const uint32_t block : chain) keys.push_back(stage.catalog()[block].key);
    auto ticket = stage.store().prefetch(keys);
    stage.expect(ticket.has_value(), "a prefetch was refused");
    if (ticket) tickets.push_back(std::move(*ticket));
  }
  for (size_t i = 0; i < tickets.size(); i++) {
    for (int waits = 0; waits < 1000 && !tickets[i].progress().ended; waits++)
      stage.pass(std::chrono::milliseconds(1));
    stage.expect(tickets[i].progress().ended, fmt::format("prefetch {} did not end", i));
    tickets[i].release();
  }
  tickets.clear();
  stage.pass(std::chrono::seconds(1));
  stage.expect(stage.store().stats().private_bytes == 0, "prefetched bytes stayed");
  stage.check_all();
}

// A history of one key, or of none, or of more than ever left.
void fill_history(ExtremeRound& round) {
  constexpr std::array<uint32_t, 4> kHistories{0, 1, 2, 1u << 20};
  StageOptions options = ExtremesStage::usual(round.number);
  options.machine.store.history = kHistories[round.random.below(kHistories.size())];
  options.machine.store.l1.budget = 4 * base::kMiB;
  options.machine.disk.capacity_bytes = 2 * base::kMiB;
  options.roomy = false;
  options.catalog.chains = 80;
  ExtremesStage stage(options, round.findings, round.context);
  stage.start();
  stage.store_all();
  stage.check_all();
  stage.expect(stage.disk().evictions + stage.disk().drops[kNoRoom] > 0, "nothing ever left");
  const StoreStats stats = stage.store().stats();
  uint64_t misses = 0;
  for (const uint64_t one : stats.misses) misses += one;
  stage.expect(misses == stats.keys_asked - stats.keys_delivered, "reasons do not add up to misses");
}

void try_options(ExtremeRound& round) {
  ExtremesStage stage(ExtremesStage::usual(round.number), round.findings, round.context);  // for its claims
  const auto refused = [&](auto&& change, std::string_view what) {
    StoreOptions options;
    options.l1.budget = 64 * base::kMiB;
    options.tiers.resize(1);
    options.tiers[0].disk.paths = {"/nowhere"};
    stage.expect(options.validate().has_value(), "the options are refused before they are changed");
    change(options);
    const auto answer = options.validate();
    stage.expect(
        !answer && answer.error().error.code == Code::kInvalidArgument && !answer.error().message.empty(),
        std::string(what) + " is allowed");
  };
  for (const uint64_t budget : {uint64_t{0}, uint64_t{1}, 4 * base::kMiB - 1, uint64_t{1} << 63, UINT64_MAX})
    refused([&](StoreOptions& o) { o.l1.budget = budget; }, fmt::format("l1.budget {}", budget));
  for (const uint64_t block : {32 * base::kMiB, uint64_t{1} << 32, UINT64_MAX})
    refused([&](StoreOptions& o) { o.l1.largest_block = block; }, fmt::format("largest_block {}", block));
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const double mark : {0.0, -0.5, 1.0001, std::nan(""), kInfinity, -kInfinity}) {
    refused([&](StoreOptions& o) { o.l1.low_watermark = mark; }, fmt::format("l1.low_watermark {}", mark));
    refused([&](StoreOptions& o) { o.tiers[0].high_watermark = mark == 0 ? 0.5 : mark; },
            fmt::format("high_watermark {}", mark));
  }
  refused([](StoreOptions& o) { o.get_timeout = Timeout(-1); }, "a negative get_timeout");
  refused([](StoreOptions& o) { o.operation_timeout = Timeout(0); }, "an operation_timeout of 0");
  refused([](StoreOptions& o) { o.lookup_timeout = Timeout::min(); }, "a negative lookup_timeout");
  refused([](StoreOptions& o) { o.prefetch_hold = Timeout(-1); }, "a negative prefetch_hold");
  refused([](StoreOptions& o) { o.tiers[0].name.clear(); }, "a tier without a name");
  refused([](StoreOptions& o) { o.tiers.resize(9, o.tiers[0]); }, "nine tiers");

  const auto disk_refused = [&](auto&& change, std::string_view what) {
    StageOptions options = ExtremesStage::usual(round.number);
    change(options.machine.disk);
    Machine machine(options.machine);
    const auto started = machine.start();
    stage.expect(!started && !started.error().message.empty(), std::string(what) + " is allowed");
    if (started) machine.stop(kTimeout);
  };
  disk_refused([](tier::disk::DiskOptions& o) { o.capacity_bytes = 0; }, "a capacity of 0");
  disk_refused([](tier::disk::DiskOptions& o) { o.capacity_bytes = base::kPage; }, "a capacity of a page");
  disk_refused([](tier::disk::DiskOptions& o) { o.segment_bytes = UINT64_MAX; }, "a segment of 2^64 - 1");
  disk_refused([](tier::disk::DiskOptions& o) { o.segment_bytes = 1; }, "a segment of a byte");
  disk_refused([](tier::disk::DiskOptions& o) { o.sync_interval = base::Duration(0); }, "no sync interval");
  disk_refused([](tier::disk::DiskOptions& o) { o.sync_interval = base::Duration::min(); },
               "a negative sync interval");
  disk_refused([](tier::disk::DiskOptions& o) { o.sync_bytes = 0; }, "no sync bytes");
  disk_refused([](tier::disk::DiskOptions& o) { o.quarantine_after = 0; }, "no errors until quarantine");

  // As large as they may be: such a store works.
  StageOptions large = ExtremesStage::usual(round.number);
  large.machine.disk.sync_interval = base::Duration::max();
  large.machine.disk.sync_bytes = UINT64_MAX;
  large.machine.disk.quarantine_after = UINT32_MAX;
  large.machine.store.get_timeout = large.machine.store.operation_timeout = Timeout::max();
  large.machine.store.prefetch_hold = large.machine.store.lookup_timeout = Timeout::max();
  large.machine.store.store_bytes_in_flight = large.machine.store.prefetch_bytes_in_flight = UINT64_MAX;
  ExtremesStage works(large, round.findings, round.context);
  works.start();
  works.store_all();
  works.check_all();
  works.restart();
  works.check_all();
}

}  // namespace terrace::lab
