// What a remote store looks up and retrieves.
#include <utility>

#include "client/away.h"
#include "client/remote_store.h"
#include "surface/access.h"
#include "wire/fields.h"

namespace terrace::client {

namespace {

int8_t wire_policy(const auto& policy) {
  return policy ? static_cast<int8_t>(*policy) : int8_t{-1};
}

}  // namespace

// --- lookups

Result<LookupResult> RemoteStore::lookup(std::span<const Key> keys, bool pin) {
  if (auto ok = check(keys.size()); !ok) return std::unexpected(ok.error());
  LookupResult nothing;
  nothing.reasons = missed(keys.size(), MissReason::kTierUnavailable);
  const auto connection = link_.get();
  if (connection == nullptr) return nothing;
  const auto reply = expect<wire::Found>(connection->call(
      wire::Body::Lookup,
      [&](Connection::Builder& builder, wire::KeyListWriter& lists) {
        return wire::CreateLookup(builder, lists.write(builder, keys), pin).Union();
      },
      deadline()));
  if (!reply && is_away(reply.error())) return nothing;
  if (!reply) return std::unexpected(reply.error());
  return lookup_result(*reply->as<wire::Found>(), keys.size(), connection);
}

Result<FamilyLookup> RemoteStore::lookup_families(std::span<const Key> families, const FamilyLayout& layout) {
  if (auto ok = check(families.size()); !ok) return std::unexpected(ok.error());
  const FamilyLookup nothing{0, missed(families.size(), MissReason::kTierUnavailable)};
  const auto connection = link_.get();
  if (connection == nullptr) return nothing;
  const auto reply = expect<wire::Found>(connection->call(
      wire::Body::LookupFamilies,
      [&](Connection::Builder& builder, wire::KeyListWriter& lists) {
        std::vector<wire::FamilyGroup> groups;
        for (const FamilyGroup& group : layout.groups) groups.emplace_back(group.shards, group.window);
        const auto keys = lists.write(builder, families);
        return wire::CreateLookupFamilies(builder, keys, builder.CreateVectorOfStructs(groups)).Union();
      },
      deadline()));
  if (!reply && is_away(reply.error())) return nothing;
  if (!reply) return std::unexpected(reply.error());
  auto result = lookup_result(*reply->as<wire::Found>(), families.size(), connection);
  return FamilyLookup{result.found, std::move(result.reasons)};
}

Result<LookupOperation> RemoteStore::lookup_async(std::span<const Key> keys, Timeout timeout,
                                                  const Notify& notify) {
  if (auto ok = check(keys.size()); !ok) return std::unexpected(ok.error());
  auto recipient = recipient_of(notify);
  if (!recipient) return std::unexpected(recipient.error());
  const auto connection = link_.get();
  const auto running = std::make_shared<RemoteLookup>(keys.size(), connection, clock_, deadline(timeout),
                                                      std::move(*recipient));
  const Result<void> begun = connection == nullptr
                                 ? std::unexpected(Error{Code::kClosed})
                                 : connection->begin(
                                       wire::Body::Lookup,
                                       [&](Connection::Builder& builder, wire::KeyListWriter& lists) {
                                         return wire::CreateLookup(builder, lists.write(builder, keys), false,
                                                                   true, wire::milliseconds_of(timeout))
                                             .Union();
                                       },
                                       running);
  if (!begun) running->answered(std::unexpected(begun.error()));
  watch(running);
  return surface::Access::running<LookupOperation>(running);
}

// --- gets

uint64_t RemoteStore::prefetch_of(const GetOptions& options, const Connection& connection) const {
  if (options.ticket == nullptr) return 0;
  const auto prefetch = std::dynamic_pointer_cast<RemotePrefetch>(surface::Access::state_of(*options.ticket));
  return prefetch == nullptr ? 0 : prefetch->number_on(connection);
}

Result<std::shared_ptr<RemoteGet>> RemoteStore::begin_get(std::span<const Key> keys,
                                                          const GetOptions& options, Recipient recipient) {
  if (auto ok = check(keys.size()); !ok) return std::unexpected(ok.error());
  const auto connection = link_.get();
  if (connection != nullptr && connection->mode() == L1Mode::kOff)
    return fail(Code::kNoArena, "the server's l1.mode off has no arena: use put and get_into");
  auto running = std::make_shared<RemoteGet>(keys, connection, clock_, deadline(timeout_of(options)),
                                             std::move(recipient));
  const Result<void> begun =
      connection == nullptr
          ? std::unexpected(Error{Code::kClosed})
          : connection->begin(
                wire::Body::Get,
                [&](Connection::Builder& builder, wire::KeyListWriter& lists) {
                  return wire::CreateGet(builder, lists.write(builder, keys),
                                         wire::milliseconds_of(options.timeout),
                                         wire_policy(options.write_back), prefetch_of(options, *connection))
                      .Union();
                },
                running);
  if (!begun) running->answered(std::unexpected(begun.error()));
  return running;
}

Result<Blocks> RemoteStore::get(std::span<const Key> keys, const GetOptions& options) {
  const auto running = begin_get(keys, options, {});
  if (!running) return std::unexpected(running.error());
  (*running)->wait_for_result();
  auto blocks = (*running)->take();
  if (!blocks) return fail(Code::kInternal, "a get that has ended has no result");
  return std::move(*blocks);
}

Result<GetOperation> RemoteStore::get_async(std::span<const Key> keys, const GetOptions& options,
                                            const Notify& notify) {
  auto recipient = recipient_of(notify);
  if (!recipient) return std::unexpected(recipient.error());
  const auto running = begin_get(keys, options, std::move(*recipient));
  if (!running) return std::unexpected(running.error());
  watch(*running);
  return surface::Access::running<GetOperation>(*running);
}

Result<IntoOperation> RemoteStore::get_into(std::span<const Key> keys, std::span<const RegionSlice> to,
                                            const GetOptions& options, const Notify& notify) {
  if (auto ok = check(keys.size()); !ok) return std::unexpected(ok.error());
  if (to.size() != keys.size()) return fail(Code::kInvalidArgument, "one region slice for each key");
  auto recipient = recipient_of(notify);
  if (!recipient) return std::unexpected(recipient.error());
  const auto connection = link_.get();
  const auto running = std::make_shared<RemoteInto>(keys.size(), connection, clock_,
                                                    deadline(timeout_of(options)), std::move(*recipient));
  Result<void> begun = std::unexpected(Error{Code::kClosed});
  if (connection != nullptr) {
    const auto slices = regions_.slices_on(*connection, to);
    if (!slices && !is_away(slices.error())) return std::unexpected(slices.error());
    if (slices) {
      begun = connection->begin(
          wire::Body::GetInto,
          [&](Connection::Builder& builder, wire::KeyListWriter& lists) {
            const auto list = lists.write(builder, keys);
            const auto places = builder.CreateVectorOfStructs(*slices);
            return wire::CreateGetInto(builder, list, places, wire::milliseconds_of(options.timeout),
                                       wire_policy(options.write_back), prefetch_of(options, *connection))
                .Union();
          },
          running);
    }
  }
  if (!begun) running->answered(std::unexpected(begun.error()));
  watch(running);
  return surface::Access::running<IntoOperation>(running);
}

// --- prefetch

Result<PrefetchTicket> RemoteStore::prefetch(std::span<const Key> keys, const PrefetchOptions& options,
                                             const Notify& notify) {
  if (auto ok = check(keys.size()); !ok) return std::unexpected(ok.error());
  auto recipient = recipient_of(notify);
  if (!recipient) return std::unexpected(recipient.error());
  const uint64_t tag = events_->add(std::move(*recipient), EventKind::kResult);
  const auto connection = link_.get();
  uint64_t number = 0;
  if (connection != nullptr) {
    const auto reply = connection->call(
        wire::Body::Prefetch,
        [&](Connection::Builder& builder, wire::KeyListWriter& lists) {
          return wire::CreatePrefetch(builder, lists.write(builder, keys), wire_policy(options.policy),
                                      wire_policy(options.write_back), tag)
              .Union();
        },
        deadline());
    if (!reply && !is_away(reply.error())) {
      events_->drop(tag);
      return std::unexpected(reply.error());
    }
    const auto* const prefetching = reply ? reply->as<wire::Prefetching>() : nullptr;
    if (prefetching != nullptr) number = prefetching->prefetch();
  }
  if (number == 0) events_->end(tag);
  return surface::Access::running<PrefetchTicket>(std::shared_ptr<PrefetchTicket::State>(
      std::make_shared<RemotePrefetch>(keys.size(), connection, number, clock_, options_.patience)));
}

}  // namespace terrace::client
