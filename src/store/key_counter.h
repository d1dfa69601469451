// What became of the keys that gets asked for, of the store and of each namespace (X1, Q5). Guarded by the
// store's mutex.
#pragma once

#include <vector>

#include "store/block_table.h"

namespace terrace::store {

class KeyCounter {
 public:
  // `reason` kNone: the key was delivered.
  void add(uint32_t name_space, MissReason reason) {
    add(all_, reason);
    if (name_space == kNoNamespace) return add(of_none_, reason);
    if (name_space >= of_.size()) of_.resize(name_space + size_t{1});
    add(of_[name_space], reason);
  }
  const KeyCounts& all() const { return all_; }
  const KeyCounts& of_none() const { return of_none_; }
  KeyCounts of(uint32_t name_space) const { return name_space < of_.size() ? of_[name_space] : KeyCounts{}; }

 private:
  static void add(KeyCounts& counts, MissReason reason) {
    ++counts.asked;
    if (reason == MissReason::kNone)
      ++counts.delivered;
    else
      ++counts.misses[static_cast<size_t>(reason)];
  }

  KeyCounts all_, of_none_;
  std::vector<KeyCounts> of_;  // by number of the namespace table
};

}  // namespace terrace::store
