// What a power cut may take, key by key: everything since the last sync (P4).
#pragma once

#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "lab/kit/expected_state.h"

namespace terrace::lab {

// Everything since the last sync of each key's latest write and removal.
class PowerLedger {
 public:
  PowerLedger(uint32_t keys, const base::Clock& clock) : clock_(clock), keys_(keys) {}

  void durable(uint32_t key) {
    if (!keys_[key].owed) keys_[key].owed_since = clock_.now();
    keys_[key].owed = true;
  }
  // Written while recovery ran: the new record may stand for an older one that was safe.
  void written_anew(uint32_t key) { keys_[key].owed_since = clock_.now(); }
  void removed(uint32_t key, Writer before) {
    Entry& entry = keys_[key];
    entry.owed = false;
    if (!entry.removal_pending || entry.removed_since <= synced_) entry.removed_before = before;
    entry.removal_pending = true;
    entry.removed_since = clock_.now();
  }
  // It may have been removed: what was safe of it may be gone, and what is written next stands for itself.
  void removal_failed(uint32_t key) { keys_[key].owed = false; }
  void synced() { synced_ = clock_.now(); }
  // The process ends; what was synced by then is safe for good. Group syncs count only where nothing
  // disturbed them.
  void end_life(base::Duration sync_interval, bool group_syncs_count) {
    const base::TimePoint group = clock_.now() - 2 * sync_interval - std::chrono::seconds(1);
    const base::TimePoint safe = group_syncs_count ? std::max(synced_, group) : synced_;
    for (Entry& entry : keys_) {
      if (entry.owed_since <= safe) entry.owed_since = {};
      if (entry.removed_since <= safe) entry.removal_pending = false;
    }
  }
  // Another begins: its group syncs start over.
  void begin_life() {
    for (Entry& entry : keys_) {
      if (entry.owed_since != base::TimePoint{}) entry.owed_since = clock_.now();
      entry.removed_since = clock_.now();
    }
  }
  // The power goes with the process.
  void forgive(ExpectedState& expected) {
    for (uint32_t key = 0; key < keys_.size(); key++) {
      Entry& entry = keys_[key];
      if (!entry.owed || entry.owed_since != base::TimePoint{}) expected.forgive(key, UINT32_MAX);
      if (entry.removal_pending) expected.forgive(key, entry.removed_before);
      entry = {};
    }
  }

 private:
  struct Entry {
    bool owed = false, removal_pending = false;
    base::TimePoint owed_since{}, removed_since{};
    Writer removed_before = 0;
  };
  const base::Clock& clock_;
  base::TimePoint synced_{};
  std::vector<Entry> keys_;
};

}  // namespace terrace::lab
