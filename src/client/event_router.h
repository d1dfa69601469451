// Which queue and tag an event of the server is for. Tags on the wire are the client's own numbers, so that
// two operations of one tag are told apart.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include <terrace/completion.h>

#include "base/mutex.h"
#include "client/connection.h"
#include "client/remote_queue.h"

namespace terrace::client {

// Where events of an operation go.
struct Recipient {
  std::shared_ptr<RemoteQueue> queue;  // null: nobody wants them
  uint64_t tag = 0;

  void tell(Completion event) const {
    event.tag = tag;
    if (queue != nullptr) queue->push(event);
  }
};

class EventRouter {
 public:
  // A tag for an operation that ends with an event of kind `last`; of a put, not before borrowed() was
  // called.
  uint64_t add(Recipient recipient, EventKind last, bool is_put = false) TERRACE_EXCLUDES(mutex_);
  // The keys of a put whose memory the server may touch until their kReleased.
  void borrowed(uint64_t tag, std::vector<Key> keys) TERRACE_EXCLUDES(mutex_);
  // The operation never began: nothing comes.
  void drop(uint64_t tag) TERRACE_EXCLUDES(mutex_);
  // It ended without the server: what is owed is told.
  void end(uint64_t tag) TERRACE_EXCLUDES(mutex_);
  void end_all() TERRACE_EXCLUDES(mutex_);
  void route(const wire::Event& event) TERRACE_EXCLUDES(mutex_);
  // Keys whose memory the server may still touch.
  size_t keys_borrowed() const TERRACE_EXCLUDES(mutex_);

 private:
  struct Route {
    Recipient recipient;
    EventKind last = EventKind::kResult;
    bool ended = false;                                         // the last event came
    bool answered = true;                                       // what it borrowed is known
    boost::unordered_flat_map<Key, int, KeyHash> not_released;  // below 0: released before we knew
  };
  void forget_ended(uint64_t tag) TERRACE_REQUIRES(mutex_);
  static void tell_owed(const Route& route);

  mutable base::Mutex mutex_;
  boost::unordered_flat_map<uint64_t, Route> routes_ TERRACE_GUARDED_BY(mutex_);
  uint64_t last_tag_ TERRACE_GUARDED_BY(mutex_) = 0;
};

}  // namespace terrace::client
