// The namespaces the store has seen, by small number, so that a block carries four bytes of its namespace.
// Guarded by the store's mutex.
#pragma once

#include <map>
#include <vector>

#include <terrace/key.h>

#include "tier/tier.h"

namespace terrace::store {

class NamespaceTable {
 public:
  // The number of a root, given on first sight.
  uint32_t number(const Key& root) {
    const auto [it, added] = numbers_.try_emplace(root, static_cast<uint32_t>(entries_.size()));
    if (added) entries_.push_back({root, {}, false});
    return it->second;
  }
  void describe(const tier::KnownNamespace& known) {
    auto& entry = entries_[number(known.root)];
    if (known.known) entry = known;
  }
  const tier::KnownNamespace& operator[](uint32_t number) const { return entries_[number]; }
  const std::vector<tier::KnownNamespace>& all() const { return entries_; }

 private:
  std::map<Key, uint32_t> numbers_;
  std::vector<tier::KnownNamespace> entries_;
};

}  // namespace terrace::store
