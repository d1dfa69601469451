// The bound of a subscription: what nobody reads is counted instead of kept.
#pragma once

#include <deque>

#include <terrace/changes.h>

namespace terrace::surface {

inline constexpr size_t kChangesMax = 65536;

inline void add_change(std::deque<Change>& changes, const Change& change) {
  if (changes.size() < kChangesMax) return changes.push_back(change);
  if (changes.size() == kChangesMax) changes.push_back({});
  changes.back().lost += change.kind == ChangeKind::kLost ? change.lost : 1;
}

}  // namespace terrace::surface
