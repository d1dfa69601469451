// The namespaces a call is confined to: what is of others is, for it, not there. Immutable; any thread.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <terrace/key.h>

namespace terrace::store {

class Scope {
 public:
  explicit Scope(std::vector<Key> roots) : roots_(std::move(roots)) { std::ranges::sort(roots_); }
  bool covers(const Key& root) const { return std::ranges::binary_search(roots_, root); }

 private:
  std::vector<Key> roots_;
};

using ScopePtr = std::shared_ptr<const Scope>;  // null: every namespace

inline bool covers(const Scope* scope, const Key& root) {
  return scope == nullptr || scope->covers(root);
}

}  // namespace terrace::store
