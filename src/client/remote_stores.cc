// What a remote store puts: buffers in the server's memory, and slices of shared regions.
#include <utility>

#include "client/away.h"
#include "client/remote_store.h"
#include "surface/access.h"
#include "wire/fields.h"

namespace terrace::client {

namespace {

std::vector<ReserveAnswer> no_room(size_t blocks) {
  return std::vector<ReserveAnswer>(blocks);
}

}  // namespace

Result<std::vector<ReserveAnswer>> RemoteStore::reserve(const ReserveRequest& request) {
  return reserve(request, 0, deadline());
}

Result<std::vector<ReserveAnswer>> RemoteStore::reserve_wait(const ReserveRequest& request, Timeout timeout) {
  return reserve(request, wire::milliseconds_of(std::max(timeout, Timeout{})), deadline(timeout));
}

Result<std::vector<ReserveAnswer>> RemoteStore::reserve(const ReserveRequest& request, uint64_t wait_ms,
                                                        base::TimePoint deadline) {
  if (auto ok = check(request.blocks.size()); !ok) return std::unexpected(ok.error());
  const auto connection = link_.get();
  if (connection == nullptr) return no_room(request.blocks.size());
  const auto reply = expect<wire::Reserved>(connection->call(
      wire::Body::Reserve,
      [&](Connection::Builder& builder, wire::KeyListWriter&) {
        const auto blocks = wire::write_blocks(builder, request.blocks);
        return wire::CreateReserve(builder, &wire::wire_key(request.root), &wire::wire_key(request.parent),
                                   blocks, wait_ms)
            .Union();
      },
      deadline));
  if (!reply && is_away(reply.error())) return no_room(request.blocks.size());
  if (!reply) return std::unexpected(reply.error());
  auto answers = answers_of(*reply->as<wire::Reserved>(), request, connection);
  if (!answers && is_away(answers.error())) return no_room(request.blocks.size());
  return answers;
}

Result<std::vector<ReserveAnswer>> RemoteStore::answers_of(const wire::Reserved& reserved,
                                                           const ReserveRequest& request,
                                                           const std::shared_ptr<Connection>& connection) {
  const auto outcomes = wire::values_of(reserved.outcomes());
  const size_t buffers = reserved.buffers() == nullptr ? 0 : reserved.buffers()->size();
  std::vector<ReserveAnswer> answers(request.blocks.size());
  size_t next = 0;
  for (size_t i = 0; i < answers.size() && i < outcomes.size(); ++i) {
    if (outcomes[i] > static_cast<uint8_t>(ReserveOutcome::kNoRoom)) break;
    answers[i].outcome = static_cast<ReserveOutcome>(outcomes[i]);
    if (answers[i].outcome != ReserveOutcome::kBuffer) continue;
    if (next == buffers) return fail(Code::kCorrupt, "the server gave fewer buffers than it says");
    const wire::Buffer& buffer = *reserved.buffers()->Get(static_cast<flatbuffers::uoffset_t>(next++));
    const auto bytes = connection->bytes_at(buffer.place());
    if (!bytes) return std::unexpected(bytes.error());
    if (bytes->bytes.size() != request.blocks[i].bytes)
      return fail(Code::kCorrupt, "the server gave a buffer of another size");
    uint64_t token = 0;
    {
      const base::Lock lock(mutex_);
      token = ++last_token_;
      given_.emplace(token, Given{connection, buffer.reservation(), bytes->mapping});
    }
    answers[i].reservation =
        surface::Access::reservation(shared_from_this(), token, request.blocks[i].key, bytes->bytes);
  }
  return answers;
}

void RemoteStore::abort(uint64_t token) {
  Given given;
  {
    const base::Lock lock(mutex_);
    const auto found = given_.find(token);
    if (found == given_.end()) return;
    given = std::move(found->second);
    given_.erase(found);
  }
  (void)given.connection->tell(wire::Body::Abort, [&](Connection::Builder& builder, wire::KeyListWriter&) {
    return wire::CreateAbort(builder, builder.CreateVector(&given.number, 1)).Union();
  });
}

Result<void> RemoteStore::commit(std::span<Reservation> reservations, const Notify& notify) {
  auto recipient = recipient_of(notify);
  if (!recipient) return std::unexpected(recipient.error());
  for (const Reservation& reservation : reservations) {
    if (reservation && surface::Access::backend_of(reservation) != this)
      return fail(Code::kInvalidArgument, "a reservation of another store");
  }
  const uint64_t tag =
      recipient->queue == nullptr ? 0 : events_->add(std::move(*recipient), EventKind::kWriteBatch);
  const auto connection = link_.get();
  std::vector<uint64_t> numbers;
  std::vector<Given> taken;  // mapped until the server has them
  {
    const base::Lock lock(mutex_);
    for (Reservation& reservation : reservations) {
      const auto found = given_.find(surface::Access::take(reservation));
      if (found == given_.end()) continue;
      // What an earlier server gave is gone with it.
      if (found->second.connection == connection) numbers.push_back(found->second.number);
      taken.push_back(std::move(found->second));
      given_.erase(found);
    }
  }
  if (connection == nullptr) {
    events_->end(tag);
    return {};
  }
  const auto reply = connection->call(
      wire::Body::Commit,
      [&](Connection::Builder& builder, wire::KeyListWriter&) {
        return wire::CreateCommit(builder, builder.CreateVector(numbers), tag).Union();
      },
      deadline());
  if (reply) return {};
  if (!is_away(reply.error())) {
    events_->drop(tag);
    return std::unexpected(reply.error());
  }
  events_->end(tag);
  return {};
}

Result<std::vector<ReserveOutcome>> RemoteStore::put(const ReserveRequest& request,
                                                     std::span<const RegionSlice> from,
                                                     const Notify& notify) {
  if (auto ok = check(request.blocks.size()); !ok) return std::unexpected(ok.error());
  if (from.size() != request.blocks.size())
    return fail(Code::kInvalidArgument, "one region slice for each block");
  auto recipient = recipient_of(notify);
  if (!recipient) return std::unexpected(recipient.error());
  std::vector<ReserveOutcome> outcomes(request.blocks.size(), ReserveOutcome::kNoRoom);
  const auto connection = link_.get();
  const auto slices =
      connection == nullptr ? Result<std::vector<wire::Slice>>{} : regions_.slices_on(*connection, from);
  const uint64_t tag = events_->add(std::move(*recipient), EventKind::kWriteBatch, true);
  const auto reply =
      connection == nullptr || !slices
          ? Result<Reply>(std::unexpected(connection == nullptr ? Error{Code::kClosed} : slices.error()))
          : expect<wire::Stored>(connection->call(
                wire::Body::Put,
                [&](Connection::Builder& builder, wire::KeyListWriter&) {
                  const auto blocks = wire::write_blocks(builder, request.blocks);
                  const auto places = builder.CreateVectorOfStructs(*slices);
                  return wire::CreatePut(builder, &wire::wire_key(request.root),
                                         &wire::wire_key(request.parent), blocks, places, tag)
                      .Union();
                },
                deadline()));
  if (!reply && is_away(reply.error())) {
    events_->end(tag);
    return outcomes;
  }
  if (!reply) {
    events_->drop(tag);
    return std::unexpected(reply.error());
  }
  std::vector<Key> borrowed;
  const auto known = wire::values_of(reply->as<wire::Stored>()->outcomes());
  for (size_t i = 0; i < outcomes.size() && i < known.size(); ++i) {
    outcomes[i] = static_cast<ReserveOutcome>(known[i]);
    if (outcomes[i] == ReserveOutcome::kAccepted) borrowed.push_back(request.blocks[i].key);
  }
  events_->borrowed(tag, std::move(borrowed));
  return outcomes;
}

}  // namespace terrace::client
