// What a shared tier said it does not have, for a while (C3: negative presence): so that it is not asked
// again for every request. Guarded by the store's mutex.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>

#include "base/clock.h"
#include "store/types.h"

namespace terrace::store {

class Absence {
 public:
  void note(const Key& key, base::TimePoint until) {
    if (until_.size() >= kKeysMax) until_.clear();  // asking once more is all it costs
    until_.insert_or_assign(key, until);
  }
  void forget(const Key& key) { until_.erase(key); }
  bool holds(const Key& key, base::TimePoint now) const {
    const auto found = until_.find(key);
    return found != until_.end() && now < found->second;
  }

 private:
  static constexpr size_t kKeysMax = 65536;
  boost::unordered_flat_map<Key, base::TimePoint, KeyHash> until_;
};

}  // namespace terrace::store
