// What whoever runs the server asks and is told, as the store's types, and back.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include <terrace/sessions.h>

#include "wire/frame.h"

namespace terrace::wire {

flatbuffers::Offset<SetQuota> write_quota(flatbuffers::FlatBufferBuilder& builder, const std::string& tenant,
                                          const TenantQuota& quota);
TenantQuota quota_of(const SetQuota& from);

flatbuffers::Offset<Tenants> write_tenants(flatbuffers::FlatBufferBuilder& builder,
                                           std::span<const TenantUsage> tenants);
std::vector<TenantUsage> tenants_of(const Tenants& from);

flatbuffers::Offset<Sessions> write_sessions(flatbuffers::FlatBufferBuilder& builder,
                                             const SessionReport& report);
SessionReport sessions_of(const Sessions& from);

flatbuffers::Offset<Namespaces> write_namespaces(flatbuffers::FlatBufferBuilder& builder,
                                                 std::span<const StoredNamespace> namespaces);
std::vector<StoredNamespace> namespaces_of(const Namespaces& from);

flatbuffers::Offset<StoredBlocks> write_stored(flatbuffers::FlatBufferBuilder& builder,
                                               std::span<const StoredBlock> blocks);
std::vector<StoredBlock> stored_of(const StoredBlocks& from);

flatbuffers::Offset<Story> write_story(flatbuffers::FlatBufferBuilder& builder, const KeyStory& story);
KeyStory story_of(const Story& from);

flatbuffers::Offset<Changes> write_changes(flatbuffers::FlatBufferBuilder& builder,
                                           std::span<const terrace::Change> changes);
// Of a server newer than this client: what it does not know counts as lost.
std::vector<terrace::Change> changes_of(const Changes& from);

}  // namespace terrace::wire
