// The namespaces the store has seen, by small number, so that a block carries four bytes of its namespace.
// Guarded by the store's mutex.
#pragma once

#include <map>
#include <vector>

#include <terrace/key.h>

#include "store/make_room.h"
#include "tier/tier.h"

namespace terrace::store {

class NamespaceTable {
 public:
  // The number of a root, given on first sight.
  uint32_t number(const Key& root) {
    if (const auto known = numbers_.find(root); known != numbers_.end()) return known->second;
    const auto next = static_cast<uint32_t>(entries_.size());
    make_room(entries_);
    numbers_.emplace(root, next);
    entries_.push_back({root, {}, false});
    return next;
  }
  void describe(const tier::KnownNamespace& known) {
    auto& entry = entries_[number(known.root)];
    if (known.known) entry = known;
  }
  // Of kNoNamespace: one without root or fields.
  const tier::KnownNamespace& operator[](uint32_t number) const {
    return number < entries_.size() ? entries_[number] : none_;
  }
  const std::vector<tier::KnownNamespace>& all() const { return entries_; }

 private:
  std::map<Key, uint32_t> numbers_;
  std::vector<tier::KnownNamespace> entries_;
  tier::KnownNamespace none_{{}, {}, false};
};

}  // namespace terrace::store
