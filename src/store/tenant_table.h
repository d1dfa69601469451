// The tenants the store has heard of, by small number: of namespaces, or of a quota set before any. A tenant
// is all namespaces of one salt and is named by the salt's SHA-256; those without a salt are one, named "".
// Guarded by the store's mutex.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <terrace/options.h>

#include "store/make_room.h"
#include "store/types.h"

namespace terrace::store {

class TenantTable {
 public:
  // The number of a tenant, given on first sight.
  TenantId number(const std::string& name) {
    if (const auto known = numbers_.find(name); known != numbers_.end()) return known->second;
    const auto next = static_cast<TenantId>(entries_.size());
    make_room(entries_);
    numbers_.emplace(name, next);
    entries_.push_back({name, {}});
    return next;
  }
  const std::string& name(TenantId tenant) const { return entries_[tenant].name; }
  TenantQuota& quota(TenantId tenant) { return entries_[tenant].quota; }
  const TenantQuota& quota(TenantId tenant) const { return entries_[tenant].quota; }
  TenantId end() const { return static_cast<TenantId>(entries_.size()); }

 private:
  struct Entry {
    std::string name;
    TenantQuota quota;
  };
  std::map<std::string, TenantId> numbers_{{"", kNoTenant + 1}};
  std::vector<Entry> entries_{2};  // kNoTenant, and the one without a salt
};

}  // namespace terrace::store
