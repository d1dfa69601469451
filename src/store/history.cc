#include "store/history.h"

#include "base/hooks.h"

namespace terrace::store {

void History::note(const Key& key, MissReason reason) {
  base::Lock lock(mutex_);
  if (ring_.empty()) return;
  const uint64_t id = key.word(2) | 1;  // 0 marks a free place of the ring
  if (const auto it = reasons_.find(id); it != reasons_.end()) {
    it->second = reason;
    return;
  }
  if (ring_[next_] != 0) {
    TERRACE_PROBE("store.history_forgets");
    reasons_.erase(ring_[next_]);
  }
  ring_[next_] = id;
  next_ = (next_ + 1) % ring_.size();
  reasons_.emplace(id, reason);
}

MissReason History::reason(const Key& key) const {
  base::Lock lock(mutex_);
  const auto it = reasons_.find(key.word(2) | 1);
  return it == reasons_.end() ? MissReason::kUnknown : it->second;
}

}  // namespace terrace::store
