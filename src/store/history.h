// What became of keys that left, for the reasons of misses (Q5): bounded, oldest forgotten first.
// Thread-safe.
#pragma once

#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "base/mutex.h"
#include "store/types.h"

namespace terrace::store {

class History {
 public:
  explicit History(size_t keys_max) : ring_(keys_max) {}

  void note(const Key& key, MissReason reason);
  MissReason reason(const Key& key) const;  // kUnknown when never seen or forgotten

 private:
  // Keys are told apart by 64 of their bits: a collision can only misname a reason.
  mutable base::Mutex mutex_;
  std::vector<uint64_t> ring_ TERRACE_GUARDED_BY(mutex_);
  size_t next_ TERRACE_GUARDED_BY(mutex_) = 0;
  boost::unordered_flat_map<uint64_t, MissReason> reasons_ TERRACE_GUARDED_BY(mutex_);
};

}  // namespace terrace::store
