// The namespaces the store has seen, by small number, so that a block carries four bytes of its namespace.
// Guarded by the store's mutex.
#pragma once

#include <map>
#include <vector>

#include <terrace/key.h>

#include "store/make_room.h"
#include "store/tenant_table.h"
#include "tier/tier.h"

namespace terrace::store {

class NamespaceTable {
 public:
  explicit NamespaceTable(TenantTable& tenants) : tenants_(tenants) {}

  // The number of a root, given on first sight.
  uint32_t number(const Key& root) {
    if (const auto known = numbers_.find(root); known != numbers_.end()) return known->second;
    const auto next = static_cast<uint32_t>(entries_.size());
    make_room(entries_);
    make_room(tenant_of_);
    numbers_.emplace(root, next);
    entries_.push_back({root, {}, false});
    tenant_of_.push_back(tenants_.number(""));
    return next;
  }
  void describe(const tier::KnownNamespace& known) {
    const uint32_t its = number(known.root);
    if (!known.known) return;
    const TenantId tenant = tenants_.number(known.fields.tenant_salt.value_or(""));
    entries_[its] = known;
    tenant_of_[its] = tenant;
  }
  // Of a namespace of which only the root is known: the tenant without a salt.
  TenantId tenant(uint32_t number) const {
    return number < tenant_of_.size() ? tenant_of_[number] : kNoTenant;
  }
  // Of kNoNamespace: one without root or fields.
  const tier::KnownNamespace& operator[](uint32_t number) const {
    return number < entries_.size() ? entries_[number] : none_;
  }
  const std::vector<tier::KnownNamespace>& all() const { return entries_; }

 private:
  TenantTable& tenants_;
  std::map<Key, uint32_t> numbers_;
  std::vector<tier::KnownNamespace> entries_;
  std::vector<TenantId> tenant_of_;  // as entries_
  tier::KnownNamespace none_{{}, {}, false};
};

}  // namespace terrace::store
