// What is stored, and what whoever runs the server may set.
#include "client/away.h"
#include "client/remote_store.h"
#include "wire/control_fields.h"
#include "wire/fields.h"

namespace terrace::client {

template <class T>
Result<Reply> RemoteStore::ask(wire::Body type, const Connection::Make& make, Timeout wait) const {
  if (auto ok = check(0); !ok) return std::unexpected(ok.error());
  const auto connection = link_.get();
  if (connection == nullptr) return std::unexpected(kAway);
  auto reply = expect<T>(connection->call(type, make, deadline(wait)));
  if (!reply) return std::unexpected(away_or(reply.error()));
  return reply;
}

Result<uint64_t> RemoteStore::amount(wire::Body type, const Connection::Make& make, Timeout wait) const {
  const auto reply = ask<wire::Amount>(type, make, wait);
  if (!reply) return std::unexpected(reply.error());
  return reply->as<wire::Amount>()->amount();
}

// --- what is stored

std::vector<StoredNamespace> RemoteStore::namespaces() const {
  const auto reply = ask<wire::Namespaces>(wire::Body::AskNamespaces,
                                           [](Connection::Builder& builder, wire::KeyListWriter&) {
                                             return wire::CreateAskNamespaces(builder).Union();
                                           });
  return reply ? wire::namespaces_of(*reply->as<wire::Namespaces>()) : std::vector<StoredNamespace>{};
}

std::vector<StoredBlock> RemoteStore::list(std::optional<Key> root, std::optional<Key> after,
                                           size_t limit) const {
  const auto reply =
      ask<wire::StoredBlocks>(wire::Body::List, [&](Connection::Builder& builder, wire::KeyListWriter&) {
        return wire::CreateList(builder, root ? &wire::wire_key(*root) : nullptr,
                                after ? &wire::wire_key(*after) : nullptr,
                                static_cast<uint32_t>(std::min(limit, kBatchMax)))
            .Union();
      });
  return reply ? wire::stored_of(*reply->as<wire::StoredBlocks>()) : std::vector<StoredBlock>{};
}

KeyStory RemoteStore::why(const Key& key) const {
  const auto reply =
      ask<wire::Story>(wire::Body::AskWhy, [&](Connection::Builder& builder, wire::KeyListWriter&) {
        return wire::CreateAskWhy(builder, &wire::wire_key(key)).Union();
      });
  KeyStory story;
  story.reason = MissReason::kTierUnavailable;
  if (reply) story = wire::story_of(*reply->as<wire::Story>());
  story.key = key;
  return story;
}

// --- what may be set

Result<uint64_t> RemoteStore::set_quota(const std::string& tenant, const TenantQuota& quota) {
  return amount(wire::Body::SetQuota, [&](Connection::Builder& builder, wire::KeyListWriter&) {
    return wire::write_quota(builder, tenant, quota).Union();
  });
}

std::vector<TenantUsage> RemoteStore::tenants() const {
  const auto reply =
      ask<wire::Tenants>(wire::Body::AskTenants, [](Connection::Builder& builder, wire::KeyListWriter&) {
        return wire::CreateAskTenants(builder).Union();
      });
  return reply ? wire::tenants_of(*reply->as<wire::Tenants>()) : std::vector<TenantUsage>{};
}

Result<uint64_t> RemoteStore::set_l1_mode(L1Mode mode) {
  return amount(wire::Body::SetMode, [&](Connection::Builder& builder, wire::KeyListWriter&) {
    return wire::CreateSetMode(builder, static_cast<uint8_t>(mode)).Union();
  });
}

Result<uint64_t> RemoteStore::drain_tier(std::string_view name, Timeout timeout) {
  return amount(
      wire::Body::DrainTier,
      [&](Connection::Builder& builder, wire::KeyListWriter&) {
        const auto tier = builder.CreateString(name.data(), name.size());
        return wire::CreateDrainTier(builder, tier, wire::milliseconds_of(timeout)).Union();
      },
      timeout);
}

Result<void> RemoteStore::resume_tier(std::string_view name) {
  const auto reply =
      ask<wire::Done>(wire::Body::ResumeTier, [&](Connection::Builder& builder, wire::KeyListWriter&) {
        return wire::CreateResumeTier(builder, builder.CreateString(name.data(), name.size())).Union();
      });
  if (!reply) return std::unexpected(reply.error());
  return {};
}

}  // namespace terrace::client
