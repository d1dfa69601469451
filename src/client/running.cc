#include "client/running.h"

#include <algorithm>

#include "base/log.h"
#include "base/rate_limit.h"
#include "surface/access.h"
#include "wire/fields.h"

namespace terrace::client {

namespace {

// Gives a lease or pin back when the last handle goes.
class ServerHold {
 public:
  ServerHold(std::shared_ptr<Connection> connection, uint64_t number)
      : connection_(std::move(connection)), number_(number) {}
  ServerHold(const ServerHold&) = delete;
  ServerHold& operator=(const ServerHold&) = delete;
  ~ServerHold() { connection_->release(number_); }
  void keep(const std::shared_ptr<const memory::Mapping>& mapping) {
    if (mappings_.empty() || mappings_.back() != mapping) mappings_.push_back(mapping);
  }

 private:
  std::shared_ptr<Connection> connection_;
  uint64_t number_;
  std::vector<std::shared_ptr<const memory::Mapping>> mappings_;
};

// Why what a server refused, or no longer answers, is a miss.
MissReason reason_of(const Error& error) {
  switch (error.code) {
    case Code::kDeadline:
      return MissReason::kDeadline;
    case Code::kCancelled:
      return MissReason::kCancelled;
    case Code::kInvalidArgument:
    case Code::kNotFound:
      return MissReason::kDeclined;
    default:
      return MissReason::kTierUnavailable;
  }
}

// One for each key that is missing, and the first says something (Q5): else the server is in error.
std::vector<MissReason> reasons_of(const flatbuffers::Vector<uint8_t>* bytes, size_t count) {
  auto reasons = wire::values_as(bytes, kMissReasons, MissReason::kUnknown);
  const bool says =
      !reasons.empty() && reasons[0] != MissReason::kNone && reasons[0] != MissReason::kBehindHole;
  if (reasons.size() == count && (count == 0 || says)) return reasons;
  static base::SteadyClock clock;
  static base::RateLimit limit(clock);
  base::log::limited(limit, base::log::Level::kWarn, "the server gave {} reasons for {} misses, the first {}",
                     reasons.size(), count, reasons.empty() ? "none" : to_string(reasons[0]));
  return missed(count, MissReason::kTierUnavailable);
}

// What stands at the places, up to the first that is not there.
Result<Blocks> blocks_of(const wire::Delivered& delivered, std::span<const Key> keys,
                         const std::shared_ptr<Connection>& connection) {
  std::shared_ptr<ServerHold> lease;
  if (delivered.lease() != 0) lease = std::make_shared<ServerHold>(connection, delivered.lease());
  std::vector<BlockView> views;
  const auto sources = wire::values_of(delivered.sources());
  const size_t places = delivered.places() == nullptr ? 0 : delivered.places()->size();
  if (places > keys.size() || sources.size() != places || (places > 0 && lease == nullptr))
    return fail(Code::kCorrupt, "the server delivered what was not asked for");
  for (size_t i = 0; i < places; ++i) {
    const auto bytes = connection->bytes_at(*delivered.places()->Get(static_cast<flatbuffers::uoffset_t>(i)));
    if (!bytes) return std::unexpected(bytes.error());
    lease->keep(bytes->mapping);
    views.push_back({keys[i], bytes->bytes, sources[i]});
  }
  return surface::Access::blocks(std::move(views), reasons_of(delivered.reasons(), keys.size() - places),
                                 std::move(lease));
}

}  // namespace

std::vector<MissReason> missed(size_t keys, MissReason reason) {
  std::vector<MissReason> reasons(keys, MissReason::kBehindHole);
  if (keys > 0) reasons[0] = reason;
  return reasons;
}

LookupResult lookup_result(const wire::Found& found, size_t keys,
                           const std::shared_ptr<Connection>& connection) {
  LookupResult result;
  result.found = std::min<size_t>(found.found(), keys);
  const auto where = wire::values_of(found.where());
  result.where.assign(where.begin(), where.end());
  result.where.resize(result.found);
  result.reasons = reasons_of(found.reasons(), keys - result.found);
  if (found.pin() != 0)
    result.pin = surface::Access::pin(std::make_shared<ServerHold>(connection, found.pin()));
  return result;
}

// --- Running

void Running::told() {
  result_.store(true, std::memory_order_release);
  Completion event;
  event.kind = EventKind::kResult;
  recipient_.tell(event);
}

void Running::give_up_if_late() {
  if (has_result() || clock_.now() < deadline_ || !claim()) return;
  end_with(MissReason::kDeadline);
  told();
}

bool Running::has_ended() {
  if (!has_result()) connection_->look();
  give_up_if_late();
  return has_result();
}

void Running::wait_for_result() {
  while (!has_result()) {
    if (connection_->wait(*this, deadline_)) return;
    give_up_if_late();
    if (!has_result() && connection_->closed() && claim()) {  // it was never told
      end_with(MissReason::kTierUnavailable);
      told();
    }
  }
}

void Running::ask_to_end() {
  if (has_result()) return;
  (void)connection_->tell(wire::Body::Cancel, [&](Connection::Builder& builder, wire::KeyListWriter&) {
    const uint64_t number = request();
    return wire::CreateCancel(builder, builder.CreateVector(&number, 1)).Union();
  });
}

// --- RemoteLookup

void RemoteLookup::end_with(MissReason reason) {
  answer_.emplace();
  answer_->reasons = missed(keys_, reason);
}

bool RemoteLookup::answered(Result<Reply> reply) {
  const auto* const found = reply ? reply->as<wire::Found>() : nullptr;
  std::optional<LookupResult> result;
  if (found != nullptr) result = lookup_result(*found, keys_, connection());
  if (claim()) {
    if (result) {
      answer_ = std::move(result);
    } else {
      end_with(reply ? MissReason::kTierUnavailable : reason_of(reply.error()));
    }
    told();
  }
  set_done();
  return true;
}

// --- RemoteGet

void RemoteGet::end_with(MissReason reason) {
  blocks_ = surface::Access::blocks({}, missed(keys_.size(), reason), nullptr);
}

bool RemoteGet::answered(Result<Reply> reply) {
  const auto* const delivered = reply ? reply->as<wire::Delivered>() : nullptr;
  Result<Blocks> blocks = fail(Code::kUnavailable, "no answer");
  if (delivered != nullptr) blocks = blocks_of(*delivered, keys_, connection());
  if (!reply) blocks = std::unexpected(reply.error());
  if (claim()) {
    if (blocks) {
      blocks_ = std::move(*blocks);
    } else {
      end_with(reason_of(blocks.error()));
    }
    told();
  }
  set_done();
  return true;
}

// --- RemoteInto

void RemoteInto::end_with(MissReason reason) {
  answer_.reasons = missed(keys_, reason);
}

bool RemoteInto::answered(Result<Reply> reply) {
  const auto* const delivered = reply ? reply->as<wire::DeliveredInto>() : nullptr;
  if (delivered != nullptr && claim()) {
    answer_.delivered = std::min<size_t>(delivered->delivered(), keys_);
    const auto sources = wire::values_of(delivered->sources());
    answer_.source.assign(sources.begin(), sources.end());
    answer_.source.resize(answer_.delivered);
    answer_.reasons = reasons_of(delivered->reasons(), keys_ - answer_.delivered);
    told();
  }
  if (delivered != nullptr) return false;
  if (claim()) {
    end_with(reply ? MissReason::kTierUnavailable : reason_of(reply.error()));
    told();
  }
  release();
  return true;
}

void RemoteInto::release() {
  if (!set_done()) return;
  Completion event;
  event.kind = EventKind::kReleased;
  recipient().tell(event);
}

bool RemoteInto::released() {
  if (!done()) connection()->look();
  return done();
}

bool RemoteInto::wait(Timeout timeout) {
  return connection()->wait(*this, base::after(clock().now(), timeout));
}

// --- RemotePrefetch

PrefetchTicket::Progress RemotePrefetch::progress() {
  const uint64_t number = number_.load();
  PrefetchTicket::Progress progress{keys_, 0, keys_, true};
  if (number == 0) return progress;
  const auto reply = connection_->call(
      wire::Body::AskProgress,
      [&](Connection::Builder& builder, wire::KeyListWriter&) {
        return wire::CreateAskProgress(builder, number).Union();
      },
      base::after(clock_.now(), patience_));
  if (!reply) return progress;
  if (const auto* const known = reply->as<wire::PrefetchProgress>())
    progress = {known->asked(), known->arrived(), known->failed(), known->ended()};
  return progress;
}

void RemotePrefetch::cancel() {
  if (const uint64_t number = number_.exchange(0); number != 0) connection_->release(number);
}

void RemotePrefetch::release() {
  const uint64_t number = number_.load();
  if (number == 0) return;
  (void)connection_->tell(wire::Body::Release, [&](Connection::Builder& builder, wire::KeyListWriter&) {
    return wire::CreateRelease(builder, 0, builder.CreateVector(&number, 1)).Union();
  });
}

}  // namespace terrace::client
