// The half of Client that gives blocks to the store, and takes them away.
#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "lab/kit/client.h"

namespace terrace::lab {
namespace {

constexpr size_t kHeldReservations = 3;
constexpr uint64_t kGuard = 64;
constexpr Timeout kSyncTimeout = std::chrono::seconds(60);

}  // namespace

// The blocks of the slice in order; the repeated one comes again at the end.
std::vector<BlockSpec> Client::specs(const Operation& operation, std::vector<uint32_t>& blocks) const {
  const auto slice = catalog_.chain(operation.chain).subspan(operation.first, operation.count);
  blocks.assign(slice.begin(), slice.end());
  if (operation.repeat) blocks.push_back(blocks.front());
  std::vector<BlockSpec> specs;
  for (const uint32_t block : blocks)
    specs.push_back({.key = catalog_[block].key, .bytes = catalog_[block].bytes});
  return specs;
}

// S1: the kinds of answers a batch may get, in the order it may get them.
void Client::check_reserve(std::span<const ReserveOutcome> outcomes, const Operation& operation) {
  const size_t asked = operation.count + (operation.repeat ? 1 : 0);
  if (outcomes.size() != asked)
    return fail(fmt::format("reserve: {} answers for {} keys", outcomes.size(), asked));
  bool no_room = false;
  for (const ReserveOutcome outcome : outcomes) {
    observe(static_cast<uint64_t>(outcome));
    if (no_room && outcome != ReserveOutcome::kNoRoom)
      fail("reserve: an answer other than no_room after no_room");
    no_room = no_room || outcome == ReserveOutcome::kNoRoom;
    if (outcome == ReserveOutcome::kNoRoom) findings_.count("no_room");
  }
  if (operation.repeat && outcomes.back() == ReserveOutcome::kBuffer) {
    fail("reserve: a second buffer for a key that the batch names twice");
  }
}

void Client::store_blocks(const Operation& operation, bool hold) {
  std::vector<uint32_t> blocks;
  const std::vector<BlockSpec> wanted = specs(operation, blocks);
  if (hold && reservations_.size() >= kHeldReservations) reservations_.pop_front();
  // Now and then the last block of the chain for the first one's parent: a circle, which is a caller's defect
  // and must not become ours.
  const bool circle = operation.pick % 256 == 77;
  auto answers = store_.reserve({.root = catalog_.root(catalog_.space_of(operation.chain)),
                                 .parent = circle ? wanted.back().key : catalog_.parent_key(blocks[0]),
                                 .blocks = wanted});
  if (!answers) return fail(fmt::format("reserve: {}", to_string(answers.error())));
  std::vector<ReserveOutcome> outcomes;
  for (const ReserveAnswer& answer : *answers) outcomes.push_back(answer.outcome);
  check_reserve(outcomes, operation);

  HeldReservations mine;
  for (size_t i = 0; i < answers->size(); i++) {
    Reservation& reservation = (*answers)[i].reservation;
    if (((*answers)[i].outcome == ReserveOutcome::kBuffer) != static_cast<bool>(reservation)) {
      fail(fmt::format("{}: answer {} with{} a buffer", name(blocks[i]), static_cast<int>(outcomes[i]),
                       reservation ? "" : "out"));
    }
    if (!reservation) continue;
    if (reservation.key() != wanted[i].key || reservation.bytes().size() != wanted[i].bytes) {
      fail(fmt::format("{}: a buffer of {} bytes, or of another key", name(blocks[i]),
                       reservation.bytes().size()));
      continue;
    }
    // What is held is filled with bytes nobody may ever see: P2.
    if (hold) fill(wanted[i].key, kPrivate | ++private_writers_, reservation.bytes());
    mine.reservations.push_back(std::move(reservation));
    mine.blocks.push_back(blocks[i]);
  }
  say(fmt::format("{} chain {} [{}, +{}): {} buffers", hold ? "reserve" : "store", operation.chain,
                  operation.first, operation.count, mine.blocks.size()));
  if (hold) {
    if (!mine.blocks.empty()) reservations_.push_back(std::move(mine));
  } else {
    commit(mine.reservations, mine.blocks);
  }
}

void Client::commit(std::vector<Reservation>& reservations, std::span<const uint32_t> blocks) {
  if (reservations.empty()) return;
  const uint64_t tag = next_tag();
  Written written;
  written.begun = clock_.now();
  for (size_t i = 0; i < reservations.size(); i++) {
    const Writer writer = expected_.begin_write(blocks[i]);
    fill(catalog_[blocks[i]].key, writer, reservations[i].bytes());
    written.writers[blocks[i]] = writer;
  }
  written_.emplace(tag, std::move(written));
  const auto committed = store_.commit(reservations, notify(tag));
  if (!committed) {
    written_.erase(tag);
    return fail(fmt::format("commit: {}", to_string(committed.error())));
  }
  findings_.count("blocks_stored", blocks.size());
  if (!options_.alone || options_.mode != L1Mode::kCache) return;
  for (const uint32_t block : blocks) {
    const auto found = store_.lookup(std::span(&catalog_[block].key, 1));
    if (!found || found->found != 1 || (found->where[0] & 1) == 0) {
      fail(fmt::format("{}: committed a moment ago and not in L1", name(block)));
    }
  }
}

void Client::commit_held(const Operation& operation) {
  if (reservations_.empty()) return;
  const auto held = reservations_.begin() + static_cast<int64_t>(operation.pick % reservations_.size());
  HeldReservations mine = std::move(*held);
  reservations_.erase(held);
  say(fmt::format("commit {} held blocks", mine.blocks.size()));
  commit(mine.reservations, mine.blocks);
}

void Client::abort_held(const Operation& operation) {
  if (reservations_.empty()) return;
  const auto held = reservations_.begin() + static_cast<int64_t>(operation.pick % reservations_.size());
  say(fmt::format("abort {} held blocks", held->blocks.size()));
  if (operation.repeat) {  // in words; else by destruction
    for (Reservation& reservation : held->reservations) reservation.abort();
  }
  reservations_.erase(held);
}

// Half of them from page boundaries, where staging and off write straight from the memory (S7).
void Client::put(const Operation& operation) {
  Area* area = free_area(areas_);
  if (area == nullptr) return;
  const bool aligned = options_.mode == L1Mode::kOff || operation.pick % 2 == 0;
  std::vector<uint32_t> blocks;
  const std::vector<BlockSpec> wanted = specs(operation, blocks);
  std::vector<RegionSlice> slices;
  Written written;
  written.begun = clock_.now();
  uint64_t offset = operation.pick % kGuard;
  for (size_t i = 0; i < blocks.size(); i++) {
    if (aligned) offset = base::round_up(offset, base::kPage);
    const auto known = written.writers.find(blocks[i]);
    const Writer writer = known != written.writers.end() ? known->second : expected_.begin_write(blocks[i]);
    written.writers[blocks[i]] = writer;
    slices.push_back({.region = area->region, .offset = offset, .bytes = wanted[i].bytes});
    fill(wanted[i].key, writer, area->bytes.bytes().subspan(offset, wanted[i].bytes));
    offset += wanted[i].bytes;
  }
  const uint64_t tag = next_tag();
  written_.emplace(tag, std::move(written));
  const auto outcomes = store_.put({.root = catalog_.root(catalog_.space_of(operation.chain)),
                                    .parent = catalog_.parent_key(blocks[0]),
                                    .blocks = wanted},
                                   slices, notify(tag));
  if (!outcomes) {
    written_.erase(tag);
    return fail(fmt::format("put: {}", to_string(outcomes.error())));
  }
  check_reserve(*outcomes, operation);
  RunningPut running;
  running.accepted = static_cast<size_t>(std::ranges::count(*outcomes, ReserveOutcome::kAccepted));
  running.area = static_cast<size_t>(area - areas_.data());
  running.bytes = offset;
  running.begun = clock_.now();
  const auto copied = static_cast<size_t>(std::ranges::count(*outcomes, ReserveOutcome::kBuffer));
  if (running.accepted == 0) {  // copied inside the call: the memory is free again
    std::ranges::fill(area->bytes.bytes().first(offset), std::byte{0xEE});
  } else if (copied > 0) {
    fail("put: some blocks were copied and some were not");
  } else {
    area->busy = true;
  }
  findings_.count("blocks_stored", copied + running.accepted);
  say(fmt::format("put chain {} [{}, +{}) tag {}: {} copied, {} accepted", operation.chain, operation.first,
                  operation.count, tag, copied, running.accepted));
  if (running.accepted > 0) puts_.emplace(tag, std::move(running));
}

// One key of a put is no longer read: once each, and after the last the memory is ours.
void Client::take_back(uint64_t tag, const Key& key) {
  const auto found = puts_.find(tag);
  if (found == puts_.end()) return fail(fmt::format("released event of tag {} came for no use", tag));
  RunningPut& put = found->second;
  if (++put.released[key] > 1) fail(fmt::format("{}: released twice", name(catalog_.find(key))));
  if (put.released.size() < put.accepted) return;
  std::ranges::fill(areas_[put.area].bytes.bytes().first(put.bytes), std::byte{0xEE});
  areas_[put.area].busy = false;
  puts_.erase(found);
}

// M4, under load.
void Client::switch_mode() {
  options_.mode = options_.mode == L1Mode::kCache ? L1Mode::kStaging : L1Mode::kCache;
  const auto left = store_.set_l1_mode(options_.mode);
  observe(left.value_or(UINT64_MAX));
  findings_.count("mode_changes");
  say(fmt::format("mode {}: {}", options_.mode == L1Mode::kCache ? "cache" : "staging",
                  left ? fmt::format("{} bytes still in use", *left) : to_string(left.error())));
  if (!left) fail(fmt::format("set_l1_mode: {}", to_string(left.error())));
}

void Client::remove(const Operation& operation) {
  std::vector<uint32_t> blocks;
  std::vector<Key> keys;
  for (const BlockSpec& spec : specs(operation, blocks)) keys.push_back(spec.key);
  for (const uint32_t block : blocks) expected_.begin_remove(block);
  const bool erase = operation.pick % 8 == 0;
  end_removal(blocks, store_.remove(keys, erase), erase ? "erase" : "remove");
}

void Client::clear(const Operation& operation) {
  const uint32_t space = catalog_.space_of(operation.chain);
  std::vector<uint32_t> blocks;
  for (uint32_t block = 0; block < catalog_.size(); block++) {
    if (catalog_[block].space == space) blocks.push_back(block);
  }
  for (const uint32_t block : blocks) expected_.begin_remove(block);
  ClearScope scope;
  scope.root = catalog_.root(space);
  end_removal(blocks, store_.clear(scope), "clear");
}

// D1: once acknowledged no lookup sees them.
void Client::end_removal(std::span<const uint32_t> blocks, const Result<uint64_t>& answer,
                         std::string_view what) {
  observe(answer.value_or(UINT64_MAX));
  say(fmt::format("{} {} keys from {}: {}", what, blocks.size(), name(blocks[0]),
                  answer ? fmt::format("{} were there", *answer) : to_string(answer.error())));
  if (!answer) {
    findings_.count("removals_failed");
    for (const uint32_t block : blocks) {
      if (hooks_.removal_failed) hooks_.removal_failed(block);
    }
    if (options_.reliable && !server_was_away(answer.error()))
      fail(fmt::format("{}: {}", what, to_string(answer.error())));
    return;
  }
  findings_.count("removals", *answer);
  for (const uint32_t block : blocks) {
    const Writer before = expected_.of(block).removed;
    expected_.end_remove(block);
    if (hooks_.removed) hooks_.removed(block, before);
    const auto found = store_.lookup(std::span(&catalog_[block].key, 1));
    if (found && found->found != 0)
      fail(fmt::format("{}: found after {}, tiers {:#x}", name(block), what, found->where[0]));
  }
}

void Client::sync() {
  const auto synced = store_.sync(kSyncTimeout);
  observe(synced.has_value());
  say(fmt::format("sync: {}", synced ? "ok" : to_string(synced.error())));
  if (synced && hooks_.synced) hooks_.synced();
  if (!synced && options_.reliable && !server_was_away(synced.error()))
    fail(fmt::format("sync: {}", to_string(synced.error())));
}

}  // namespace terrace::lab
