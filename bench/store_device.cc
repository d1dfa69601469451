#include "bench/store_device.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <exception>
#include <thread>
#include <utility>

#include "base/bytes.h"

namespace terrace::bench {
namespace {

constexpr uint64_t kChainBytes = 64 * base::kMiB;
constexpr size_t kReadsRunning = 4;  // chains: keeps the device busy while one of them is handed over
constexpr Timeout kPatience = std::chrono::seconds(60);
constexpr uint64_t kKeySeries = 7;

StoreOptions store_options(const StoreDeviceOptions& options) {
  StoreOptions store;
  store.l1.budget = options.l1_bytes;
  store.l1.largest_block = options.block;
  TierOptions tier;
  tier.disk.paths = {options.directory};
  tier.disk.capacity = options.capacity;
  tier.disk.io = options.io;
  store.tiers.push_back(tier);
  return store;
}

Namespace bench_namespace() {
  Namespace fields;
  fields.model_id = "bench";
  fields.producer = "terrace-bench";
  return fields;
}

}  // namespace

IoChoice io_choice(const std::string& word) {
  if (word == "uring") return IoChoice::kUring;
  if (word == "psync") return IoChoice::kPsync;
  return IoChoice::kAuto;
}

StoreDevice::StoreDevice(const StoreDeviceOptions& options)
    : options_(options), chain_blocks_(std::max<uint64_t>(2, kChainBytes / options.block)) {
  store_ = need(Store::open(store_options(options)), "store");
  root_ = need(store_->open_namespace(bench_namespace()), "namespace");
  if (!store_->wait_recovered(kPatience)) throw CannotRun("the store did not recover in time");
  warm_arena();
}

// The bare loop's pool is touched before it is timed, so ours is too.
void StoreDevice::warm_arena() {
  std::vector<Reservation> held;
  for (uint64_t index = 0;; ++index) {
    const BlockSpec block{.key = nth_key(kKeySeries + 1, index), .bytes = options_.block};
    auto answers = need(store_->reserve({.root = root_, .parent = {}, .blocks = {&block, 1}}), "reserve");
    if (answers[0].outcome != ReserveOutcome::kBuffer) break;
    fill_random(answers[0].reservation.bytes(), index);
    held.push_back(std::move(answers[0].reservation));
  }
  if (held.empty()) throw CannotRun("the arena holds no block of this size");
}

std::vector<Key> StoreDevice::keys_of(uint64_t chain) const {
  std::vector<Key> keys;
  keys.reserve(chain_blocks_);
  for (uint64_t i = 0; i < chain_blocks_; ++i) keys.push_back(nth_key(kKeySeries, chain * chain_blocks_ + i));
  return keys;
}

uint64_t StoreDevice::write_chain(const std::shared_ptr<CompletionQueue>& queue, uint64_t chain) {
  std::vector<BlockSpec> blocks;
  for (const Key& key : keys_of(chain)) blocks.push_back({.key = key, .bytes = options_.block});
  auto answers =
      need(store_->reserve_wait({.root = root_, .parent = {}, .blocks = blocks}, kPatience), "reserve_wait");
  std::vector<Reservation> reservations;
  for (auto& answer : answers) {
    if (answer.outcome != ReserveOutcome::kBuffer) {
      throw CannotRun(fmt::format("reserve_wait answered {} for a new block", int(answer.outcome)));
    }
    reservations.push_back(std::move(answer.reservation));
  }
  need(store_->commit(reservations, {.queue = queue, .tag = chain}), "commit");
  return chain_bytes();
}

// How many batches ended; a write that was dropped or failed ends the benchmark.
uint64_t StoreDevice::count_batches(CompletionQueue& queue, bool wait) {
  std::vector<Completion> events(256);
  const size_t count = wait ? queue.wait(events, kPatience) : queue.poll(events);
  if (wait && count == 0) throw CannotRun("writes did not end in time");
  uint64_t batches = 0;
  for (const Completion& event : std::span(events).first(count)) {
    if (event.kind == EventKind::kWriteBatch) ++batches;
    if (event.kind == EventKind::kWrite && event.status != WriteStatus::kOk) {
      throw CannotRun(event.status == WriteStatus::kDropped
                          ? fmt::format("a write was dropped: {}", to_string(event.cause))
                          : fmt::format("a write failed: {}", to_string(event.error)));
    }
  }
  return batches;
}

Sample StoreDevice::write(Extent extent) {
  auto queue = store_->make_queue();
  const Stopwatch watch;
  uint64_t bytes = 0, chains = 0, ended = 0;
  while ((extent.bytes == 0 || bytes < extent.bytes) &&
         (extent.seconds == 0 || watch.seconds() < extent.seconds)) {
    bytes += write_chain(queue, next_chain_++);
    ++chains;
    ended += count_batches(*queue, false);
  }
  while (ended < chains) ended += count_batches(*queue, true);
  return watch.stop(bytes);
}

void StoreDevice::settle() {
  const auto evictions = [&] { return store_->stats().tiers.at(1).evictions; };
  for (uint64_t written = 0; evictions() == 0;) {
    if (written > 2 * options_.capacity) throw CannotRun("the disk tier never reached its capacity");
    written += write({.bytes = 4 * kChainBytes}).bytes;
  }
  set_window();
}

void StoreDevice::set_window() {
  window_chains_ = options_.window_bytes / chain_bytes();
  if (next_chain_ < window_chains_) throw CannotRun("not enough was written to read from");
  window_begin_ = next_chain_ - window_chains_;
  next_read_ = 0;
}

GetOperation StoreDevice::start_read(const std::shared_ptr<CompletionQueue>& queue, uint64_t slot) {
  const auto keys = keys_of(window_begin_ + next_read_++ % window_chains_);
  GetOptions options;
  options.timeout = kPatience;
  return need(store_->get_async(keys, options, {.queue = queue, .tag = slot}), "get_async");
}

// Takes the blocks and gives them back at once.
void StoreDevice::check_read(GetOperation& operation) {
  const auto blocks = operation.take();
  if (!blocks) throw CannotRun("a get reported its result and had none");
  if (blocks->size() != chain_blocks_) {
    throw CannotRun(fmt::format("a block that was written is a miss: {}", to_string(blocks->reasons()[0])));
  }
  for (const BlockView& view : blocks->views()) {
    if (view.source == 0) throw CannotRun("a block came from L1; the window is too small");
  }
}

Sample StoreDevice::read(Extent extent) {
  if (window_chains_ == 0) set_window();
  auto queue = store_->make_queue();
  std::vector<GetOperation> running(kReadsRunning);
  const Stopwatch watch;
  uint64_t started = 0, ended = 0;
  const auto more = [&] {
    return (extent.bytes == 0 || started * chain_bytes() < extent.bytes) &&
           (extent.seconds == 0 || watch.seconds() < extent.seconds);
  };
  for (size_t slot = 0; slot < kReadsRunning && more(); ++slot, ++started)
    running[slot] = start_read(queue, slot);
  while (ended < started) {
    std::array<Completion, 16> events;
    const size_t count = queue->wait(events, kPatience);
    if (count == 0) throw CannotRun("reads did not end in time");
    for (const Completion& event : std::span(events).first(count)) {
      if (event.kind != EventKind::kResult) continue;
      check_read(running[event.tag]);
      ++ended;
      if (more()) {
        running[event.tag] = start_read(queue, event.tag);
        ++started;
      }
    }
  }
  return watch.stop(ended * chain_bytes());
}

std::pair<Sample, Sample> StoreDevice::mixed(double seconds) {
  Sample read_sample, write_sample;
  std::exception_ptr writer_failed;
  std::thread writer([&] {
    try {
      write_sample = write({.seconds = seconds});
    } catch (...) {
      writer_failed = std::current_exception();
    }
  });
  std::exception_ptr reader_failed;
  try {
    read_sample = read({.seconds = seconds});
  } catch (...) {
    reader_failed = std::current_exception();
  }
  writer.join();
  if (writer_failed) std::rethrow_exception(writer_failed);
  if (reader_failed) std::rethrow_exception(reader_failed);
  return {read_sample, write_sample};
}

void StoreDevice::sync() {
  need(store_->sync(kPatience), "sync");
}

std::string StoreDevice::engine() const {
  const auto tier = store_->stats().tiers.at(1);
  return tier.engine;
}

}  // namespace terrace::bench
