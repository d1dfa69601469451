#include "lab/rows/interleaved_store.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/random.h"
#include "memory/arena.h"
#include "store/storage_manager.h"
#include "tier/mock/mock_tier.h"

#if defined(TERRACE_HOOKS)

namespace terrace::lab {
namespace {

constexpr uint64_t kL1Budget = 4 * base::kMiB;  // the least there is
constexpr double kOneBlock = 0.003;             // of it: one slot of two pages, not two
constexpr Timeout kPatience = std::chrono::seconds(60);

// Thousands of stores, one after the other: their arenas share memory. What stands there from the one before
// is of writers that the next one does not know.
std::vector<memory::PageBuffer>& spare_segments() {
  static std::vector<memory::PageBuffer> spare;
  return spare;
}

class RecycledSegment final : public memory::Segment {
 public:
  explicit RecycledSegment(memory::PageBuffer memory) : memory_(std::move(memory)) {}
  ~RecycledSegment() override { spare_segments().push_back(std::move(memory_)); }
  std::span<std::byte> bytes() override { return memory_.bytes(); }

 private:
  memory::PageBuffer memory_;
};

class RecycledSegments final : public memory::SegmentSource {
 public:
  Result<std::unique_ptr<memory::Segment>> map(uint64_t bytes) override {
    auto& spare = spare_segments();
    const auto fits = std::ranges::find(spare, bytes, &memory::PageBuffer::size);
    if (fits != spare.end()) {
      auto memory = std::move(*fits);
      spare.erase(fits);
      return std::make_unique<RecycledSegment>(std::move(memory));
    }
    auto memory = memory::PageBuffer::make(bytes);
    if (!memory) return std::unexpected(memory.error());
    return std::make_unique<RecycledSegment>(std::move(*memory));
  }
  std::string_view page_state() const override { return "heap memory, used again"; }
};

std::array<Key, InterleavedStore::kBlocks> make_keys() {
  std::array<Key, InterleavedStore::kBlocks> keys;
  base::Random random(17);
  for (Key& key : keys) {
    for (uint8_t& byte : key.bytes) byte = static_cast<uint8_t>(random.next());
  }
  return keys;
}

// Of all stores of the process, so that no byte of an earlier one passes for one of a later one.
Writer next_writer_base() {
  static Writer last = 0;
  last = (last + 64) % kPrivate;
  return last;
}

}  // namespace

InterleavedStore::InterleavedStore(Findings& findings, const InterleavedStoreOptions& options)
    : findings_(findings), options_(options), last_writer_(next_writer_base()) {}

InterleavedStore::~InterleavedStore() = default;

const Key& InterleavedStore::key(uint32_t block) {
  static const std::array<Key, kBlocks> keys = make_keys();
  return keys[block];
}

std::vector<Key> InterleavedStore::keys(const BlockList& blocks) {
  std::vector<Key> keys;
  for (const uint32_t block : blocks) keys.push_back(key(block));
  return keys;
}

void InterleavedStore::open() {
  executor_ = std::make_unique<InterleavedExecutor>();
  StoreOptions options;
  options.l1.budget = kL1Budget;
  options.l1.mode = options_.mode;
  if (options_.tight) options.l1.low_watermark = options.l1.high_watermark = kOneBlock;
  store::StoreParts parts;
  parts.clock = executor_.get();
  parts.executor = executor_.get();
  parts.segments = std::make_unique<RecycledSegments>();
  if (options_.tier) {
    TierOptions tier;
    tier.kind = TierOptions::Kind::kMock;
    tier.name = "mock";
    options.tiers = {tier};
    tier::mock::MockOptions mock;
    mock.latency = {};
    mock.bytes_per_ns = 1e9;  // all at once: time is for the scenario to move
    parts.tiers.push_back(std::make_unique<tier::mock::MockTier>(
        mock, std::make_shared<tier::mock::MemoryBacking>(0), *executor_, *executor_));
  }
  auto manager = store::StorageManager::create(options, std::move(parts));
  if (!manager) return fail("cannot open: " + manager.error().message);
  manager_ = *manager;
  store_ = std::make_unique<Store>(std::move(*manager));
  queue_ = store_->make_queue();
  area = memory::PageBuffer::make(kBlocks * base::kPage).value();
  region = store_->register_region(area.data(), area.size()).value();
  executor_->settle();
}

// --- operations

void InterleavedStore::open_with(const BlockList& blocks) {
  open();
  put(blocks);
  executor_->settle();
}

bool InterleavedStore::put(const BlockList& blocks) {
  std::vector<BlockSpec> specs;
  for (const uint32_t block : blocks) specs.push_back({key(block), kBytes});
  auto answers = store_->reserve({Key{}, {}, specs});
  if (!answers) {
    allow_closed(answers.error(), "reserve");
    return false;
  }
  std::vector<Reservation> filled;
  std::vector<std::pair<uint32_t, Writer>> writers;
  for (size_t i = 0; i < blocks.size(); i++) {
    Reservation& reservation = (*answers)[i].reservation;
    if (!reservation) continue;
    writers.emplace_back(blocks[i], ++last_writer_);
    fill(reservation.key(), kPrivate | last_writer_, reservation.bytes());
    filled.push_back(std::move(reservation));
  }
  if (filled.empty()) return false;
  const Span when = begin();
  for (size_t i = 0; i < filled.size(); i++) fill(filled[i].key(), writers[i].second, filled[i].bytes());
  const Notify notify = owes(EventKind::kWriteBatch);
  owed_[notify.tag].writes = options_.tier ? filled.size() : 0;
  if (const auto done = store_->commit(filled, notify); !done) allow_closed(done.error(), "commit");
  const Span whole = ended(when);
  for (const auto& [block, writer] : writers) history_.wrote(block, writer, whole);
  return true;
}

void InterleavedStore::put_from_area_twice(uint32_t block) {
  const BlockSpec spec{key(block), kBytes};
  const RegionSlice from = slice(block);
  const Writer writer = ++last_writer_;
  const Span when = begin();
  fill(spec.key, writer, area.bytes().subspan(from.offset, from.bytes));
  const Notify notify = owes(EventKind::kWriteBatch);
  const std::array specs = {spec, spec};
  const auto outcomes = store_->put({Key{}, {}, specs}, std::array{from, from}, notify);
  if (!outcomes) return fail("put: " + to_string(outcomes.error()));
  history_.wrote(block, writer, ended(when));
  owed_[notify.tag].writes = options_.tier ? 1 : 0;
  if (outcomes->front() == ReserveOutcome::kAccepted) owes_too(notify, EventKind::kReleased);
}

InterleavedStore::Held InterleavedStore::get(const BlockList& blocks) {
  const Span when = begin();
  auto got = store_->get(keys(blocks), {.timeout = kPatience});
  if (!got) {
    allow_closed(got.error(), "get");
    return {};
  }
  return saw(std::move(*got), blocks, ended(when));
}

void InterleavedStore::lookup(const BlockList& blocks) {
  const Span when = begin();
  const auto found = store_->lookup(keys(blocks));
  if (!found) return allow_closed(found.error(), "lookup");
  const Span whole = ended(when);
  for (size_t i = 0; i < found->found; i++) sightings_.push_back({blocks[i], 0, whole});
}

void InterleavedStore::remove(const BlockList& blocks) {
  const Span when = begin();
  const auto removed = store_->remove(keys(blocks));
  // A tier that closes cannot make it last: not acknowledged.
  if (!removed && closed && removed.error().code == Code::kIo) return;
  if (!removed) return allow_closed(removed.error(), "remove");
  const Span whole = ended(when);
  for (const uint32_t block : blocks) history_.removed(block, whole);
}

void InterleavedStore::put_in_tier(const BlockList& blocks) {
  put(blocks);
  executor_->settle();
  // Entering staging lets go of what L1 holds.
  if (!store_->set_l1_mode(L1Mode::kStaging) || !store_->set_l1_mode(options_.mode)) fail("set_l1_mode");
  executor_->settle();
}

Notify InterleavedStore::owes(EventKind kind) {
  const uint64_t tag = owed_.size() + 1;
  owed_[tag].exactly[kind] = 1;
  return {queue_, tag};
}

// --- what they see

Writer InterleavedStore::check(uint32_t block, std::span<const std::byte> bytes, Span when) {
  const Verdict verdict = verify(key(block), bytes);
  if (!verdict.right || bytes.size() != kBytes) {
    findings_.fail_wrong(fmt::format("block {} at [{}, {}]: {} bytes, {}", block, when.begin, when.end,
                                     bytes.size(), describe(key(block), bytes, verdict)));
  }
  return verdict.writer;
}

void InterleavedStore::saw(uint32_t block, std::span<const std::byte> bytes, Span when) {
  sightings_.push_back({block, check(block, bytes, when), when});
}

InterleavedStore::Held InterleavedStore::saw(Blocks blocks, const BlockList& asked, Span when) {
  Held held{std::move(blocks), {}};
  for (size_t i = 0; i < held.blocks.size(); i++) {
    saw(asked[i], held.blocks[i].bytes, when);
    held.writers.push_back(sightings_.back().writer);
  }
  if (held.blocks.size() + held.blocks.reasons().size() != asked.size()) fail("a miss without a reason");
  return held;
}

void InterleavedStore::still_whole(const Held& held) {
  for (size_t i = 0; i < held.blocks.size(); i++) {
    const Verdict now = verify(held.blocks[i].key, held.blocks[i].bytes);
    if (now.right && now.writer == held.writers[i]) continue;
    findings_.fail_wrong("leased bytes changed: " + describe(held.blocks[i].key, held.blocks[i].bytes, now));
  }
}

void InterleavedStore::must_be_whole(const Held& held, size_t count) {
  if (held.blocks.size() == count) return;
  const auto reasons = held.blocks.reasons();
  fail(fmt::format("{} of {} blocks delivered; the first missing: {}", held.blocks.size(), count,
                   reasons.empty() ? "refused" : to_string(reasons[0])));
}

void InterleavedStore::allow_closed(const Error& error, const char* what) {
  if (!closed || error.code != Code::kClosed) fail(fmt::format("{}: {}", what, to_string(error)));
}

// --- the end

void InterleavedStore::close() {
  executor_->settle();
  if (!closed) {
    if (const auto synced = store_->sync(kPatience); !synced) fail("sync: " + to_string(synced.error()));
  }
  executor_->settle();
  check_events();
  check_nothing_left();
  if (!store_->unregister_region(region)) fail("caller memory is still in use");
  if (store_->close(kPatience).value_or(1) != 0) fail("close abandoned work");
  queue_.reset();
  store_.reset();
  executor_->settle();
  if (!manager_.expired()) fail("the store is still there after its last handle");
  executor_.reset();
  explain();
}

// Exactly one event for each thing that happened, the batch's last (S4).
void InterleavedStore::check_events() {
  std::array<Completion, 64> events;
  const size_t count = queue_->poll(events);
  for (const Completion& event : std::span(events).first(count)) {
    Owed& owed = owed_[event.tag];
    owed.came[event.kind]++;
    if (event.kind == EventKind::kWrite && owed.came.contains(EventKind::kWriteBatch)) {
      fail(fmt::format("operation {}: a write ended after its batch", event.tag));
    }
  }
  for (const auto& [tag, owed] : owed_) {
    auto expected = owed.exactly;
    const auto writes = owed.came.find(EventKind::kWrite);
    const size_t came = writes == owed.came.end() ? 0 : static_cast<size_t>(writes->second);
    // What was committed after the close is dropped without a word.
    if (came > 0) expected[EventKind::kWrite] = writes->second;
    if (expected != owed.came || came > owed.writes || (came < owed.writes && !closed)) {
      fail(fmt::format("operation {}: {} kinds of events, {} owed; {} writes, {} owed", tag, owed.came.size(),
                       expected.size(), came, owed.writes));
    }
  }
}

void InterleavedStore::check_nothing_left() {
  const StoreStats stats = store_->stats();
  if (stats.reservations + stats.reserved_bytes + stats.leased_blocks + stats.private_bytes +
          stats.writes_in_flight_bytes ==
      0) {
    return;
  }
  fail(fmt::format("leaked: {} reservations of {} bytes, {} leases, {} private bytes, {} bytes in flight",
                   stats.reservations, stats.reserved_bytes, stats.leased_blocks, stats.private_bytes,
                   stats.writes_in_flight_bytes));
}

void InterleavedStore::explain() {
  for (const Sighting& sighting : sightings_) {
    if (const auto why_not = history_.contradiction(sighting)) findings_.fail_wrong(*why_not);
  }
}

}  // namespace terrace::lab

#endif
