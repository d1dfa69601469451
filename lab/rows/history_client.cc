#include "lab/rows/history_client.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace terrace::lab {
namespace {

constexpr size_t kHeldMax = 4;                           // retrieves whose leases a client keeps
constexpr Timeout kPatience = std::chrono::seconds(60);  // an event later than this is a stuck operation
constexpr uint64_t kAreaStride = HotKeys::kBytesMax;

Key random_key(base::Random& random) {
  Key key;
  for (uint8_t& byte : key.bytes) byte = static_cast<uint8_t>(random.next());
  return key;
}

}  // namespace

HotKeys::HotKeys(uint64_t seed) {
  base::Random random(seed ^ 0x4075);
  // Up to a page mostly, as L1 then holds two pages for each; some of several pages and parts.
  for (Key& key : keys_) key = random_key(random);
  for (uint64_t& bytes : bytes_) bytes = 8 + random.below(random.one_in(8) ? kBytesMax - 8 : 1000);
  for (uint32_t i = 0; i < spaces(); i++) roots_[i] = namespace_root(space(i)).value();
}

Namespace HotKeys::space(uint32_t space) {
  return {.model_id = fmt::format("hot-{}", space)};
}

HistoryClient::HistoryClient(HotStore& shared, uint64_t seed)
    : shared_(shared), store_(shared.store), random_(seed), queue_(store_.make_queue()) {
  area_ = CallerMemory::make(HotKeys::kLength * kAreaStride, shared.served).value();
  region_ = area_.register_with(store_).value();
}

HistoryClient::~HistoryClient() {
  let_go();
  if (!store_.unregister_region(region_)) findings_.fail("caller memory is still in use");
}

void HistoryClient::fail(const std::string& what) {
  findings_.fail(what);
}

void HistoryClient::run(uint64_t operations) {
  while (operations_ < operations && findings_.clean()) one_call();
  findings_.count("ops", operations_);
  findings_.count("hits", hits_);
  findings_.count("writes", writes_);
  findings_.count("removals", removals_);
  findings_.count("changes", changes_);
  findings_.count("held_checked", pins_checked_);
}

void HistoryClient::draw_chain() {
  const auto chain = static_cast<uint32_t>(random_.below(HotKeys::kChains));
  const auto length = static_cast<uint32_t>(1 + random_.below(HotKeys::kLength));
  first_ = chain * HotKeys::kLength;
  keys_ = shared_.keys.chain(chain, length);
}

void HistoryClient::one_call() {
  draw_chain();
  const uint64_t kind = random_.below(1000);
  if (kind < 620)
    get();
  else if (kind < 680)
    get_async();
  else if (kind < 740)
    get_into();
  else if (kind < 800)
    lookup();
  else if (kind < 820)
    prefetch();
  else if (kind < 980)
    put();
  else if (kind < 998)
    remove();
  else if (kind < 999)
    clear();
  else
    change_store();
  operations_ += keys_.size();
}

// --- retrieves

Writer HistoryClient::check(uint32_t key, std::span<const std::byte> bytes, Span when, const char* what) {
  const Key& name = shared_.keys.chain(key / HotKeys::kLength, HotKeys::kLength)[key % HotKeys::kLength];
  const Verdict verdict = verify(name, bytes);
  if (!verdict.right || bytes.size() != shared_.keys.bytes(key)) {
    findings_.fail_wrong(fmt::format("{} at [{}, {}]: {} bytes, {}", what, when.begin, when.end, bytes.size(),
                                     describe(name, bytes, verdict)));
  }
  hits_++;
  record_.sightings.push_back({key, verdict.writer, when});
  return verdict.writer;
}

void HistoryClient::saw(Blocks blocks, Span when) {
  Held held{std::move(blocks), {}, first_};
  for (size_t i = 0; i < held.blocks.size(); i++) {
    held.writers.push_back(check(first_ + static_cast<uint32_t>(i), held.blocks[i].bytes, when, "get"));
  }
  if (held.blocks.size() == 0 || !random_.one_in(8)) return;
  held_.push_back(std::move(held));
  if (held_.size() <= kHeldMax) return;
  drop(held_.front());
  held_.pop_front();
}

void HistoryClient::drop(Held& held) {
  for (size_t i = 0; i < held.blocks.size(); i++) {
    const Verdict now = verify(held.blocks[i].key, held.blocks[i].bytes);
    pins_checked_++;
    if (now.right && now.writer == held.writers[i]) continue;
    findings_.fail_wrong("leased bytes changed: " + describe(held.blocks[i].key, held.blocks[i].bytes, now));
  }
  held.blocks.release();
}

void HistoryClient::let_go() {
  for (Held& held : held_) drop(held);
  held_.clear();
}

void HistoryClient::get() {
  const Span when = begin();
  auto blocks = store_.get(keys_);
  if (!blocks) return fail("get: " + to_string(blocks.error()));
  saw(std::move(*blocks), ended(when));
}

void HistoryClient::await(EventKind kind, const char* what) {
  Completion event;
  if (queue_->wait(std::span(&event, 1), kPatience) == 0) return fail(fmt::format("{} is stuck", what));
  if (event.kind != kind || event.tag != tag_) fail(fmt::format("{}: an event of another operation", what));
}

void HistoryClient::get_async() {
  const Span when = begin();
  auto operation = store_.get_async(keys_, {}, {queue_, ++tag_});
  if (!operation) return fail("get_async: " + to_string(operation.error()));
  if (random_.one_in(4)) operation->cancel();
  await(EventKind::kResult, "get_async");
  auto blocks = operation->take();
  if (!blocks) return fail("get_async: no result after its event");
  saw(std::move(*blocks), ended(when));
}

void HistoryClient::get_into() {
  std::vector<RegionSlice> slices;
  for (uint32_t i = 0; i < keys_.size(); i++) {
    slices.push_back({region_, i * kAreaStride, shared_.keys.bytes(first_ + i)});
  }
  const Span when = begin();
  auto operation = store_.get_into(keys_, slices);
  if (!operation) return fail("get_into: " + to_string(operation.error()));
  if (random_.one_in(8)) operation->cancel();
  if (!store_.wait(*operation, kPatience)) return fail("get_into is stuck");
  const Span whole = ended(when);
  for (size_t i = 0; i < operation->result().delivered; i++) {
    check(first_ + static_cast<uint32_t>(i), area_.bytes().subspan(slices[i].offset, slices[i].bytes), whole,
          "get_into");
  }
}

void HistoryClient::lookup() {
  const Span when = begin();
  auto found = store_.lookup(keys_, random_.one_in(2));
  if (!found) return fail("lookup: " + to_string(found.error()));
  const Span whole = ended(when);
  for (uint32_t i = 0; i < found->found; i++) record_.sightings.push_back({first_ + i, 0, whole});
  if (random_.one_in(2)) get();  // while a pin may hold them
}

void HistoryClient::prefetch() {
  auto ticket = store_.prefetch(keys_, {}, {queue_, ++tag_});
  if (!ticket) return fail("prefetch: " + to_string(ticket.error()));
  if (random_.one_in(4)) ticket->cancel();
  await(EventKind::kResult, "prefetch");
  const Span when = begin();
  auto blocks = store_.get(keys_, {.ticket = &*ticket});
  if (!blocks) return fail("get: " + to_string(blocks.error()));
  saw(std::move(*blocks), ended(when));
}

// --- what changes

void HistoryClient::put() {
  std::vector<BlockSpec> specs;
  for (uint32_t i = 0; i < keys_.size(); i++) specs.push_back({keys_[i], shared_.keys.bytes(first_ + i)});
  auto answers = store_.reserve({shared_.keys.root(HotKeys::space_of(first_)), {}, specs});
  if (!answers) return fail("reserve: " + to_string(answers.error()));
  std::vector<Reservation> filled;
  std::vector<HistoryRecord::Write> writes;
  for (uint32_t i = 0; i < answers->size(); i++) {
    Reservation& reservation = (*answers)[i].reservation;
    if (!reservation) continue;
    const Writer writer = shared_.counters.writers[first_ + i].fetch_add(1) + 1;
    fill(keys_[i], kPrivate | writer, reservation.bytes());
    writes.push_back({first_ + i, writer, {}});
    filled.push_back(std::move(reservation));
  }
  if (filled.empty() || random_.one_in(16)) return;  // aborted: what stands there was never written
  const Span when = begin();
  for (size_t i = 0; i < filled.size(); i++) fill(filled[i].key(), writes[i].writer, filled[i].bytes());
  if (const auto done = store_.commit(filled); !done) return fail("commit: " + to_string(done.error()));
  const Span whole = ended(when);
  for (HistoryRecord::Write& write : writes) {
    write.when = whole;
    record_.writes.push_back(write);
  }
  writes_ += writes.size();
}

void HistoryClient::remove() {
  const size_t skipped = random_.below(keys_.size());
  const Span when = begin();
  const auto removed = store_.remove(keys_.subspan(skipped), random_.one_in(8));
  if (!removed) return fail("remove: " + to_string(removed.error()));
  const Span whole = ended(when);
  for (auto i = static_cast<uint32_t>(skipped); i < keys_.size(); i++) {
    record_.removals.push_back({first_ + i, whole});
  }
  removals_ += keys_.size() - skipped;
}

void HistoryClient::clear() {
  ClearScope scope;
  scope.all = random_.one_in(2);
  const uint32_t space = HotKeys::space_of(first_);
  if (!scope.all) scope.root = shared_.keys.root(space);
  const Span when = begin();
  const auto cleared = store_.clear(scope);
  if (!cleared) return fail("clear: " + to_string(cleared.error()));
  const Span whole = ended(when);
  for (uint32_t key = 0; key < HotKeys::kKeys; key++) {
    if (scope.all || HotKeys::space_of(key) == space) record_.removals.push_back({key, whole});
  }
  changes_++;
}

void HistoryClient::change_store() {
  changes_++;
  const uint64_t kind = random_.below(4);
  if (kind < 2 && shared_.switches) {
    const auto mode = random_.one_in(2) ? L1Mode::kCache : L1Mode::kStaging;
    if (const auto left = store_.set_l1_mode(mode); !left) fail("mode: " + to_string(left.error()));
  } else if (kind == 2 && !shared_.tiers.empty()) {
    const std::string& tier = shared_.tiers[random_.below(shared_.tiers.size())];
    if (const auto left = store_.drain_tier(tier, Timeout(0)); !left)
      fail("drain: " + to_string(left.error()));
    get();
    if (const auto done = store_.resume_tier(tier); !done) fail("resume: " + to_string(done.error()));
  } else if (const auto done = store_.sync(kPatience); !done) {
    fail("sync: " + to_string(done.error()));
  }
}

}  // namespace terrace::lab
