// Families of several members (Q4): which prefix has all the members that its use needs.
#include <algorithm>

#include "store/flow_state.h"
#include "store/storage_manager.h"

namespace terrace {

std::vector<Key> needed_members(std::span<const Key> families, const FamilyLayout& layout, size_t found) {
  std::vector<Key> keys;
  found = std::min(found, families.size());
  if (found == 0) return keys;  // however many shards there are
  for (uint32_t group = 0; group < layout.groups.size(); ++group) {
    const auto [shards, window] = layout.groups[group];
    const size_t first = window == 0 || window >= found ? 0 : found - window;
    for (uint32_t shard = 0; shard < shards; ++shard) {
      for (size_t i = first; i < found; ++i) keys.push_back(member_key(families[i], {group, shard, shards}));
    }
  }
  return keys;
}

}  // namespace terrace

namespace terrace::store {

namespace {

// Of one group, for each family: whether all its shards are there.
using Presence = std::vector<char>;

size_t leading(const Presence& presence) {
  return static_cast<size_t>(std::ranges::find(presence, 0) - presence.begin());
}

// The longest prefix, at most `most`, whose last `window` families are there.
size_t windowed(const Presence& presence, size_t window, size_t most) {
  for (size_t end = most; end > 0; --end) {
    const size_t first = end > window ? end - window : 0;
    if (std::all_of(presence.begin() + static_cast<int64_t>(first),
                    presence.begin() + static_cast<int64_t>(end), [](char there) { return there != 0; })) {
      return end;
    }
  }
  return 0;
}

}  // namespace

void StorageManager::join_family(BlockId block, const Key& family, const Member& member) {
  const auto groups = namespaces_[blocks_[block].name_space].fields.groups.value_or(1);
  const bool several = member.shards > 1 || member.group > 0 || groups > 1;
  if (several && !family.is_zero()) blocks_.set_family(block, family);
}

Result<FamilyLookup> StorageManager::lookup_families(std::span<const Key> families,
                                                     const FamilyLayout& layout, const ScopePtr& scope) {
  if (auto ok = check_batch(families.size()); !ok) return std::unexpected(ok.error());
  uint64_t members = 0;
  for (const FamilyGroup& group : layout.groups) {
    if (group.shards == 0) return fail(Code::kInvalidArgument, "a group has at least 1 shard");
    members += uint64_t{group.shards} * families.size();
    // Each time: their number could come round to a small one again.
    if (auto ok = check_batch(members); !ok) return std::unexpected(ok.error());
  }
  std::vector<Presence> groups;
  std::vector<MissReason> why(families.size(), MissReason::kNone);  // of the first member that is missing
  std::vector<char> any(families.size(), 0);
  for (uint32_t number = 0; number < layout.groups.size(); ++number) {
    Presence presence(families.size(), 1);
    for (size_t i = 0; i < families.size(); ++i) {
      for (uint32_t shard = 0; shard < layout.groups[number].shards; ++shard) {
        const Key key = member_key(families[i], {number, shard, layout.groups[number].shards});
        BlockId block = kNoBlock;
        Lock lock(mutex_);
        const Found found = locate(key, block, false, scope.get());
        if (found.reason == MissReason::kNone) {
          any[i] = 1;
        } else {
          presence[i] = 0;
          if (why[i] == MissReason::kNone) why[i] = found.reason;
        }
      }
    }
    groups.push_back(std::move(presence));
  }
  FamilyLookup result;
  result.found = families.size();
  for (uint32_t number = 0; number < groups.size(); ++number) {
    if (layout.groups[number].window == 0) result.found = std::min(result.found, leading(groups[number]));
  }
  // Each window may shorten the prefix, and a shorter prefix moves every window.
  for (size_t before = SIZE_MAX; before != result.found;) {
    before = result.found;
    for (uint32_t number = 0; number < groups.size(); ++number) {
      const uint32_t window = layout.groups[number].window;
      if (window > 0) result.found = windowed(groups[number], window, result.found);
    }
  }
  result.reasons.assign(families.size() - result.found, MissReason::kBehindHole);
  if (!result.reasons.empty()) {
    const size_t first = result.found;
    const bool some = any[first] != 0 || why[first] == MissReason::kNone;
    result.reasons[0] = some ? MissReason::kFamilyIncomplete : why[first];
  }
  return result;
}

}  // namespace terrace::store
