#include "lab/rows/recorded_store.h"

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "base/bytes.h"

namespace terrace::lab {
namespace {

constexpr uint32_t kSubjects = 2;  // chains that steps put and remove; the others only fill the disk
constexpr Timeout kTimeout = std::chrono::seconds(30);
constexpr base::Duration kSyncInterval = std::chrono::seconds(1);
// A group sync begins an interval after the write at the latest and takes some milliseconds here.
constexpr base::Duration kSyncedAfter = kSyncInterval + std::chrono::milliseconds(200);

}  // namespace

std::string_view to_string(Step step) {
  constexpr std::array<std::string_view, kSteps> kNames{"put",     "remove", "clear", "sync",
                                                        "replace", "evict",  "wait",  "restart"};
  return kNames[static_cast<size_t>(step)];
}

CatalogOptions RecordedStore::catalog_options(uint64_t seed) {
  return {.seed = seed % 16,
          .namespaces = 1,
          .chains = kSubjects + 12,
          .chain_blocks_max = 2,
          .mix = seed % 2 == 0 ? SizeMix::kOne : SizeMix::kFew,
          .bytes_max = 6000};
}

MachineOptions RecordedStore::machine_options(uint64_t seed) {
  constexpr std::array kModes{L1Mode::kCache, L1Mode::kStaging, L1Mode::kOff};
  MachineOptions machine;
  machine.seed = seed;
  machine.disk.paths = {directory()};
  machine.disk.segment_bytes = tier::disk::kSegmentBytesMin;
  machine.disk.capacity_bytes = tier::disk::kReserveBytes + 3 * machine.disk.segment_bytes;
  machine.disk.sync_interval = kSyncInterval;
  machine.store.l1.budget = 4 * base::kMiB;
  machine.store.l1.mode = kModes[seed % kModes.size()];
  machine.latency = std::chrono::microseconds(5);
  return machine;
}

RecordedStore::RecordedStore(uint64_t seed, const std::vector<Step>& steps, bool settled)
    : seed_(seed),
      settled_(settled),
      catalog_(catalog_options(seed)),
      machine_(machine_options(seed)),
      recording_(machine_.time()),
      expected_(catalog_.size()),
      random_(seed ^ 0x57E9) {
  machine_.record(recording_);
  open();
  look();
  for (const Step step : steps) {
    last_step_ = recording_.size();
    carry_out(step);
    if (settled_ || random_.one_in(2)) settle();
    look();
  }
  client_->abandon();
  client_.reset();
  machine_.kill();
  machine_.bury();
}

void RecordedStore::open() {
  TERRACE_ASSERT(machine_.start().has_value());
  TERRACE_ASSERT(machine_.store().wait_recovered(kTimeout));
  TERRACE_ASSERT(machine_.store().open_namespace(catalog_.space(0)).has_value());
  ClientOptions how;
  how.seed = seed_;
  how.mode = machine_.options().store.l1.mode;
  how.complete = false;
  ClientHooks hooks;
  hooks.durable = [this](uint32_t block, Writer writer) { mark(Mark::Kind::kDurable, block, writer); };
  hooks.removed = [this](uint32_t block, Writer) {
    mark(Mark::Kind::kRemoved, block, expected_.of(block).removed);
  };
  hooks.synced = [this] { mark(Mark::Kind::kSynced); };
  client_ =
      std::make_unique<Client>(machine_.store(), catalog_, expected_, machine_.time(), findings_, how, hooks);
}

void RecordedStore::close() {
  client_->release_all();
  settle();
  client_.reset();
  if (machine_.stop(kTimeout) != 0) findings_.fail("close abandoned operations");
  mark(Mark::Kind::kSynced);
}

void RecordedStore::mark(Mark::Kind kind, uint32_t block, Writer writer) {
  marks_.push_back({.kind = kind,
                    .position = recording_.size(),
                    .when = machine_.time().now(),
                    .block = block,
                    .writer = writer});
}

void RecordedStore::run(OpKind kind, uint32_t chain) {
  Operation operation;
  operation.kind = kind;
  operation.chain = chain;
  operation.count = static_cast<uint32_t>(catalog_.chain(chain).size());
  operation.pick = 1;
  client_->run(operation);
}

void RecordedStore::store_chain(uint32_t chain) {
  run(OpKind::kStore, chain);
  // Without an arena the client has memory for a few puts only.
  if (settled_ || machine_.options().store.l1.mode == L1Mode::kOff) settle();
}

void RecordedStore::settle() {
  const base::TimePoint until = machine_.time().now() + std::chrono::seconds(10);
  do {
    machine_.time().run_for(std::chrono::microseconds(100));
    client_->poll();
  } while (client_->owed() > 0 && machine_.time().now() < until);
}

void RecordedStore::carry_out(Step step) {
  const uint32_t subject = (puts_ + kSubjects - 1) % kSubjects;  // of the last put
  switch (step) {
    case Step::kPut:
      return store_chain(puts_++ % kSubjects);
    case Step::kRemove:
      return run(OpKind::kRemove, subject);
    case Step::kClear:
      run(OpKind::kClear, subject);
      return mark(Mark::Kind::kCleared);
    case Step::kSync:
      return run(OpKind::kSync, 0);
    case Step::kReplace:
      run(OpKind::kRemove, subject);
      return store_chain(subject);
    case Step::kEvict:
      for (uint32_t chain = kSubjects; chain < catalog_.chains(); chain++) {
        store_chain(chain);
        look();
      }
      return;
    case Step::kWait:
      return machine_.time().run_for(kSyncedAfter + std::chrono::milliseconds(100));
    case Step::kRestart:
      close();
      return open();
  }
}

void RecordedStore::look() {
  client_->poll();
  Look look{.position = recording_.size(), .when = machine_.time().now(), .states = {}, .on_disk = {}};
  for (uint32_t block = 0; block < catalog_.size(); block++) {
    look.states.push_back(expected_.of(block));
    const auto found = machine_.store().lookup(std::span(&catalog_[block].key, 1));
    look.on_disk.push_back(found && found->found == 1 && (found->where[0] & 2) != 0);
  }
  looks_.push_back(std::move(look));
}

// Synced since, or so long ago that a group sync has ended (P4). A clear syncs what it removes (D1).
bool RecordedStore::is_safe(const Mark& mark, size_t position, base::TimePoint when, bool removal) const {
  if (when - mark.when > kSyncedAfter) return true;
  return std::ranges::any_of(marks_, [&](const Mark& sync) {
    const bool syncs = sync.kind == Mark::Kind::kSynced || (removal && sync.kind == Mark::Kind::kCleared);
    return syncs && sync.position <= position && &sync > &mark;
  });
}

// What was evicted and stored anew is owed as what was stored anew.
bool RecordedStore::stayed(const Mark& mark, const Look& until) const {
  return std::ranges::none_of(looks_, [&](const Look& look) {
    return look.position >= mark.position && look.position <= until.position && !look.on_disk[mark.block];
  });
}

std::vector<Owed> RecordedStore::owed_at(size_t position) const {
  // What runs: what it removes or evicts is owed no more, what it stores may be there.
  const auto end = std::ranges::find_if(looks_, [&](const Look& look) { return look.position >= position; });
  TERRACE_ASSERT(end != looks_.end());
  const base::TimePoint when = position == end->position ? end->when
                               : position == 0           ? base::TimePoint{}
                                                         : recording_.events()[position - 1].when;
  std::vector<Owed> owed(catalog_.size());
  for (uint32_t block = 0; block < owed.size(); block++) owed[block].begun = end->states[block].begun;
  for (const Mark& mark : marks_) {
    if (mark.position > position) break;
    Owed& one = owed[mark.block];
    if (mark.kind == Mark::Kind::kRemoved && is_safe(mark, position, when, true)) {
      one.gone = std::max(one.gone, mark.writer);
    }
    const bool stays = mark.writer > end->states[mark.block].removing && stayed(mark, *end);
    if (mark.kind == Mark::Kind::kDurable && stays && is_safe(mark, position, when, false)) {
      one.must_be_found = true;
    }
  }
  return owed;
}

}  // namespace terrace::lab
