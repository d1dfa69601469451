#include "wire/control_fields.h"

#include "wire/field_parts.h"
#include "wire/fields.h"

namespace terrace::wire {

namespace {

using Builder = flatbuffers::FlatBufferBuilder;

std::optional<terrace::Key> optional_key(const Key* key) {
  return key == nullptr ? std::nullopt : std::optional(key_of(*key));
}

MissReason reason_of(uint8_t number) {
  constexpr auto kLast = static_cast<uint8_t>(MissReason::kBehindHole);
  return static_cast<MissReason>(std::min(number, kLast));
}

}  // namespace

// --- tenants

flatbuffers::Offset<SetQuota> write_quota(Builder& builder, const std::string& tenant,
                                          const TenantQuota& quota) {
  std::vector<flatbuffers::Offset<TierQuota>> tiers;
  for (const auto& [name, bytes] : quota.tiers)
    tiers.push_back(CreateTierQuotaDirect(builder, name.c_str(), bytes));
  return CreateSetQuotaDirect(builder, tenant.c_str(), optional_of(quota.l1), &tiers,
                              optional_of(quota.reserved), optional_of(quota.leased));
}

TenantQuota quota_of(const SetQuota& from) {
  TenantQuota quota;
  quota.l1 = value_of(from.l1());
  quota.reserved = value_of(from.reserved());
  quota.leased = value_of(from.leased());
  for_each(from.tiers(), [&](const TierQuota& tier) { quota.tiers[string_of(tier.tier())] = tier.bytes(); });
  return quota;
}

flatbuffers::Offset<Tenants> write_tenants(Builder& builder, std::span<const TenantUsage> tenants) {
  std::vector<flatbuffers::Offset<Tenant>> list;
  for (const TenantUsage& tenant : tenants) {
    std::vector<Share> shares;
    for (const TenantShare& share : tenant.tiers)
      shares.emplace_back(share.bytes, share.blocks, share.above, share.evictions, share.refusals);
    const auto quota = write_quota(builder, tenant.tenant, tenant.quota);
    list.push_back(CreateTenantDirect(builder, tenant.tenant.c_str(), &shares, tenant.reserved_bytes,
                                      tenant.leased_bytes, quota));
  }
  return CreateTenantsDirect(builder, &list);
}

std::vector<TenantUsage> tenants_of(const Tenants& from) {
  std::vector<TenantUsage> tenants;
  for_each(from.tenants(), [&](const Tenant& told) {
    TenantUsage& tenant = tenants.emplace_back();
    tenant.tenant = string_of(told.name());
    tenant.reserved_bytes = told.reserved_bytes();
    tenant.leased_bytes = told.leased_bytes();
    if (told.quota() != nullptr) tenant.quota = quota_of(*told.quota());
    if (told.tiers() == nullptr) return;
    for (const Share* share : *told.tiers()) {
      tenant.tiers.push_back(
          {share->bytes(), share->blocks(), share->above(), share->evictions(), share->refusals()});
    }
  });
  return tenants;
}

// --- sessions

flatbuffers::Offset<Sessions> write_sessions(Builder& builder, const SessionReport& report) {
  std::vector<flatbuffers::Offset<SessionFigures>> list;
  for (const SessionUsage& session : report.sessions) {
    list.push_back(CreateSessionFiguresDirect(
        builder, session.number, session.client.c_str(), session.process, session.user, session.quarantined,
        session.reserved_bytes, session.leased_bytes, session.requests));
  }
  const auto limits = CreateSetLimits(builder, report.limits.reserved_bytes, report.limits.leased_bytes);
  return CreateSessionsDirect(builder, &list, limits);
}

SessionReport sessions_of(const Sessions& from) {
  SessionReport report;
  if (from.limits() != nullptr)
    report.limits = {from.limits()->reserved_bytes(), from.limits()->leased_bytes()};
  for_each(from.sessions(), [&](const SessionFigures& told) {
    report.sessions.push_back({told.number(), string_of(told.client()), told.process(), told.user(),
                               told.quarantined(), told.reserved_bytes(), told.leased_bytes(),
                               told.requests()});
  });
  return report;
}

// --- what is stored

flatbuffers::Offset<Namespaces> write_namespaces(Builder& builder,
                                                 std::span<const StoredNamespace> namespaces) {
  std::vector<flatbuffers::Offset<NamespaceFigures>> list;
  for (const StoredNamespace& known : namespaces) {
    const auto fields =
        known.known ? write_namespace(builder, known.fields) : flatbuffers::Offset<OpenNamespace>{};
    const auto misses = builder.CreateVector(known.keys.misses, std::size(known.keys.misses));
    list.push_back(CreateNamespaceFigures(builder, &wire_key(known.root), fields, known.blocks, known.bytes,
                                          known.keys.asked, known.keys.delivered, misses));
  }
  return CreateNamespacesDirect(builder, &list);
}

std::vector<StoredNamespace> namespaces_of(const Namespaces& from) {
  std::vector<StoredNamespace> namespaces;
  for_each(from.namespaces(), [&](const NamespaceFigures& told) {
    StoredNamespace& known = namespaces.emplace_back();
    known.root = key_of(told.root());
    known.known = told.fields() != nullptr;
    if (known.known) known.fields = namespace_of(*told.fields());
    known.blocks = told.blocks();
    known.bytes = told.bytes();
    known.keys.asked = told.asked();
    known.keys.delivered = told.delivered();
    fill(known.keys.misses, told.misses());
  });
  return namespaces;
}

flatbuffers::Offset<StoredBlocks> write_stored(Builder& builder, std::span<const StoredBlock> blocks) {
  std::vector<ListedBlock> list;
  list.reserve(blocks.size());
  for (const StoredBlock& block : blocks)
    list.emplace_back(wire_key(block.key), wire_key(block.root), block.bytes, block.where);
  return CreateStoredBlocksDirect(builder, &list);
}

std::vector<StoredBlock> stored_of(const StoredBlocks& from) {
  std::vector<StoredBlock> blocks;
  if (from.blocks() == nullptr) return blocks;
  for (const ListedBlock* block : *from.blocks())
    blocks.push_back({key_of(block->key()), key_of(block->root()), block->where(), block->bytes()});
  return blocks;
}

flatbuffers::Offset<Story> write_story(Builder& builder, const KeyStory& story) {
  std::vector<flatbuffers::Offset<StoryPlace>> places;
  for (const KeyStory::Place& place : story.places) {
    places.push_back(CreateStoryPlaceDirect(builder, place.tier, place.name.c_str(), place.bytes,
                                            &wire_key(place.parent), place.readable));
  }
  const auto place_list = builder.CreateVector(places);
  const auto on_way = builder.CreateVectorOfStrings(story.on_way_to);
  return CreateStory(builder, place_list, on_way, static_cast<uint8_t>(story.reason),
                     static_cast<uint8_t>(story.not_written), story.root ? &wire_key(*story.root) : nullptr);
}

KeyStory story_of(const Story& from) {
  KeyStory story;
  for_each(from.places(), [&](const StoryPlace& place) {
    story.places.push_back(
        {place.tier(), string_of(place.name()), place.bytes(), key_of(place.parent()), place.readable()});
  });
  if (from.on_way_to() != nullptr) {
    for (const auto* const tier : *from.on_way_to()) story.on_way_to.push_back(tier->str());
  }
  story.reason = reason_of(from.reason());
  story.not_written = reason_of(from.not_written());
  story.root = optional_key(from.root());
  return story;
}

// --- changes

flatbuffers::Offset<Changes> write_changes(Builder& builder, std::span<const terrace::Change> changes) {
  std::vector<Change> list;
  list.reserve(changes.size());
  for (const terrace::Change& change : changes) {
    list.emplace_back(wire_key(change.key), wire_key(change.root), change.lost, change.tier,
                      static_cast<uint8_t>(change.kind), static_cast<uint8_t>(change.condition));
  }
  return CreateChangesDirect(builder, &list);
}

std::vector<terrace::Change> changes_of(const Changes& from) {
  std::vector<terrace::Change> changes;
  if (from.changes() == nullptr) return changes;
  for (const Change* told : *from.changes()) {
    terrace::Change& change = changes.emplace_back();
    const bool known = told->kind() <= static_cast<uint8_t>(ChangeKind::kLost) &&
                       told->condition() <= static_cast<uint8_t>(TierCondition::kDrained);
    if (!known) continue;
    change.kind = static_cast<ChangeKind>(told->kind());
    change.condition = static_cast<TierCondition>(told->condition());
    change.tier = told->tier();
    change.key = key_of(told->key());
    change.root = key_of(told->root());
    change.lost = told->lost();
  }
  return changes;
}

}  // namespace terrace::wire
