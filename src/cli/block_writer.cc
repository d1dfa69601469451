#include "cli/block_writer.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "cli/file_bytes.h"
#include "cli/open_store.h"
#include "cli/where.h"

namespace terrace::cli {
namespace {

std::string why_dropped(DropCause cause) {
  switch (cause) {
    case DropCause::kNoRoom:
      return "no room on disk";
    case DropCause::kQuota:
      return "no room in the tenant's quota on disk";
    case DropCause::kParentDropped:
      return "the block before it in the chain is not stored";
    case DropCause::kUnavailable:
      return "the disk is not available";
    default:
      return std::string(to_string(cause));
  }
}

Failure not_written(const PutItem& item, const Completion& event) {
  if (event.status == WriteStatus::kFailed) {
    return {event.error, fmt::format("{}: not written: {}", item.path, to_string(event.error))};
  }
  if (event.cause == DropCause::kTooLarge) {
    return {
        {Code::kLimitExceeded, 0, ""},
        fmt::format("{}: {} is larger than a segment of this store's disk, which is 1/64 of the --capacity "
                    "it was made with: use another directory with a larger one",
                    item.path, base::format_size(item.bytes))};
  }
  const bool full = event.cause == DropCause::kNoRoom || event.cause == DropCause::kQuota;
  const Code code = full ? Code::kNoSpace : Code::kUnavailable;
  return {{code, 0, ""}, fmt::format("{}: not written: {}", item.path, why_dropped(event.cause))};
}

// It may go well once the writes that run have ended: then their blocks can make room.
bool may_pass(const Completion& event) {
  if (event.status == WriteStatus::kFailed) return event.error.code == Code::kNoSpace;
  return event.cause == DropCause::kNoRoom || event.cause == DropCause::kQuota ||
         event.cause == DropCause::kParentDropped || event.cause == DropCause::kBacklog;
}

}  // namespace

std::string_view to_string(PutState state) {
  switch (state) {
    case PutState::kWaiting:
      return "waiting";
    case PutState::kWriting:
      return "writing";
    case PutState::kStored:
      return "stored";
    case PutState::kPresent:
      return "present";
    case PutState::kFailed:
      return "failed";
  }
  return "";
}

BlockWriter::BlockWriter(Store& store, const Key& root, std::span<PutItem> items, Ended ended)
    : store_(store), root_(root), items_(items), ended_(std::move(ended)), queue_(store.make_queue()) {}

void BlockWriter::put(size_t index) {
  PutItem& item = items_[index];
  if (on_disk(item.name.key)) return end_item(index, PutState::kPresent);
  auto file = InputFile::open(item.path);
  if (!file) return fail_item(index, file.error());
  item.bytes = file->bytes();
  const BlockSpec block{.key = item.name.key, .bytes = item.bytes, .family = item.name.family, .member = {}};
  auto answers = store_.reserve_wait({root_, item.parent, std::span(&block, 1)}, kOperationTimeout);
  if (!answers) {
    return fail_item(index, {answers.error(), fmt::format("{}: {}", item.path, to_string(answers.error()))});
  }
  ReserveAnswer& answer = answers->front();
  switch (answer.outcome) {
    case ReserveOutcome::kBuffer:
      break;
    case ReserveOutcome::kPresent:
    case ReserveOutcome::kInFlight:
    case ReserveOutcome::kAccepted:
      present_.push_back(index);
      return;
    case ReserveOutcome::kNoRoom:
      return fail_item(
          index, {{Code::kNoRoom, 0, ""}, fmt::format("{}: no memory to put it into (--l1)", item.path)});
  }
  if (auto read = file->read(answer.reservation.bytes()); !read) return fail_item(index, read.error());
  commit(index, std::move(answer.reservation));
  take_events(Timeout(0));
}

void BlockWriter::commit(size_t index, Reservation reservation) {
  PutItem& item = items_[index];
  item.state = PutState::kWriting;
  const auto done = store_.commit(std::span(&reservation, 1), Notify{queue_, index});
  if (done) {
    ++running_;
  } else {
    fail_item(index, {done.error(), fmt::format("{}: {}", item.path, to_string(done.error()))});
  }
}

size_t BlockWriter::take_events(Timeout timeout) {
  std::array<Completion, 64> events;
  const size_t count = timeout == Timeout(0) ? queue_->poll(events) : queue_->wait(events, timeout);
  for (const Completion& event : std::span(events).first(count)) take(event);
  return count;
}

// A block is written to every tier that wants it; it is stored when one of them has it.
void BlockWriter::take(const Completion& event) {
  const auto index = static_cast<size_t>(event.tag);
  if (event.kind == EventKind::kWriteBatch) {
    --running_;
    settle(index);
  } else if (event.kind == EventKind::kWrite && event.status == WriteStatus::kOk) {
    items_[index].state = PutState::kStored;
  } else if (event.kind == EventKind::kWrite) {
    refused_.try_emplace(index, event);
  }
}

void BlockWriter::settle(size_t index) {
  PutItem& item = items_[index];
  const auto refused = refused_.extract(index);
  if (item.state == PutState::kStored) {
    end_item(index, PutState::kStored);
  } else if (refused.empty()) {
    present_.push_back(index);  // no tier was written
  } else if (may_pass(refused.mapped()) && !last_try_) {
    item.state = PutState::kWaiting;
    item.failure = not_written(item, refused.mapped());
    dropped_.push_back(index);
  } else {
    // The first reason says more than that of the second try.
    fail_item(index, item.failure.message.empty() ? not_written(item, refused.mapped()) : item.failure);
  }
}

Outcome<void> BlockWriter::finish() {
  if (auto drained = drain(); !drained) return drained;
  if (auto again = put_again(); !again) return again;
  if (auto synced = sync(); !synced) return synced;
  for (const size_t index : std::exchange(present_, {})) check_present(index);
  for (PutItem& item : items_) item.evicted = item.state == PutState::kStored && !on_disk(item.name.key);
  return {};
}

Outcome<void> BlockWriter::drain() {
  while (running_ > 0) {
    // Each write ends within its own time limit.
    if (take_events(2 * kOperationTimeout) == 0) {
      return failure(Code::kDeadline, fmt::format("{} writes did not end in time", running_));
    }
  }
  return {};
}

// One by one: now everything on disk can make room.
Outcome<void> BlockWriter::put_again() {
  last_try_ = true;
  std::ranges::sort(dropped_);
  for (const size_t index : dropped_) {
    put(index);
    if (auto drained = drain(); !drained) return drained;
    if (present_.empty() || present_.back() != index) continue;
    // Still in memory: its write runs without a completion.
    present_.pop_back();
    if (auto synced = sync(); !synced) return synced;
    if (on_disk(items_[index].name.key)) {
      end_item(index, PutState::kStored);
    } else {
      fail_item(index, items_[index].failure);
    }
  }
  return {};
}

Outcome<void> BlockWriter::sync() {
  const auto synced = store_.sync(kLongTimeout);
  if (synced) return {};
  return failure(synced.error().code, "the writes were not made durable: " + to_string(synced.error()),
                 synced.error().sys_errno);
}

bool BlockWriter::on_disk(const Key& key) const {
  const auto answer = store_.lookup(std::span(&key, 1));
  return answer && answer->found == 1 && (answer->where.front() & kBehindL1) != 0;
}

void BlockWriter::check_present(size_t index) {
  const PutItem& item = items_[index];
  if (on_disk(item.name.key)) return end_item(index, PutState::kPresent);
  fail_item(index, {{Code::kUnavailable, 0, ""},
                    fmt::format("{}: not written: its key came twice and the first one is not on disk, or no "
                                "tier's store policy wanted it",
                                item.path)});
}

void BlockWriter::fail_item(size_t index, Failure failure) {
  if (failure.error.code == Code::kNoSpace) {
    const std::string last = store_.stats().tiers.back().last_error;
    if (!last.empty() && !failure.message.ends_with(last)) failure.message += " (" + last + ")";
  }
  items_[index].failure = std::move(failure);
  end_item(index, PutState::kFailed);
}

void BlockWriter::end_item(size_t index, PutState state) {
  items_[index].state = state;
  ended_(items_[index]);
}

}  // namespace terrace::cli
