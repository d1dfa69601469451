// What changes in a store, told as it happens (Store::subscribe): for routers that send a request where its
// blocks are, for engines that announce cached blocks, for people who watch.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <terrace/key.h>
#include <terrace/options.h>

namespace terrace {

// Of a tier as a whole.
enum class TierCondition : uint8_t { kRecovering, kReady, kDegraded, kUnavailable, kClosed, kDrained };
std::string_view to_string(TierCondition condition);

enum class ChangeKind : uint8_t {
  kStored,     // the tier holds the block from now on, and lookups may answer from there
  kRemoved,    // it holds the block no more: removed, evicted, damaged, or moved
  kTierState,  // the tier's condition is another one
  kLost,       // changes are missing here: who keeps a picture begins anew, with Store::list
};

struct Change {
  ChangeKind kind = ChangeKind::kLost;
  TierCondition condition = TierCondition::kReady;  // of kTierState
  uint16_t tier = 0;                                // 0 L1, i tier i
  Key key{}, root{};                                // of a block; root all zero: nobody told its namespace
  uint64_t lost = 0;  // of kLost: how many; 0 where nobody knows, as after a server was away
  friend bool operator==(const Change&, const Change&) = default;
};

// Made by Store::subscribe; changes come until it is destroyed, in order. Thread-safe. At most 65536 of them
// wait to be read: what comes then is lost, and told so. Of a shared tier it tells what this store knows.
class Subscription {
 public:
  virtual ~Subscription() = default;
  // Readable while changes wait. -1 where no descriptor can be had. Owned by the subscription.
  virtual int fd() = 0;
  // Takes up to changes.size() changes; returns how many. Never blocks.
  virtual size_t poll(std::span<Change> changes) = 0;
  // poll, waiting for at least one change until the timeout.
  virtual size_t wait(std::span<Change> changes, Timeout timeout) = 0;
};

}  // namespace terrace
