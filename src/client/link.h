// The connection a client has now. When it has ended a new one is made, in whichever call comes next once the
// pause is over: pauses double, and differ between clients, so that a restarted server is not met by all at
// once.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <terrace/client.h>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/random.h"
#include "client/connection.h"

namespace terrace::client {

class Link {
 public:
  using OnChange = std::function<void(const std::shared_ptr<Connection>&)>;  // null: it has ended
  // `on_change` is called when a connection was made, and when one was lost; under no lock.
  Link(const ClientOptions& options, const ClientParts& parts, Connection::OnTold on_told,
       OnChange on_change);

  // The first one. Errors as terrace::connect.
  Outcome<void> open() TERRACE_EXCLUDES(mutex_);
  // Null while there is none to be had. May connect, for 100 ms at most.
  std::shared_ptr<Connection> get() TERRACE_EXCLUDES(mutex_);
  // As it is, without another try.
  std::shared_ptr<Connection> current() const TERRACE_EXCLUDES(mutex_);
  // No further connection is made. Handles keep theirs.
  void close() TERRACE_EXCLUDES(mutex_);

  // Named to the server of every connection.
  void remember(const Namespace& fields) TERRACE_EXCLUDES(mutex_);

 private:
  Outcome<std::shared_ptr<Connection>> connect(base::Duration within) TERRACE_EXCLUDES(mutex_);
  base::Duration pause() TERRACE_REQUIRES(mutex_);

  const ClientOptions options_;
  const ClientParts parts_;
  base::Clock& clock_;
  const Connection::OnTold on_told_;
  const OnChange on_change_;

  mutable base::Mutex mutex_;
  std::shared_ptr<Connection> connection_ TERRACE_GUARDED_BY(mutex_);
  std::vector<Namespace> namespaces_ TERRACE_GUARDED_BY(mutex_);
  bool connecting_ TERRACE_GUARDED_BY(mutex_) = false;
  bool closed_ TERRACE_GUARDED_BY(mutex_) = false;
  uint32_t failures_ TERRACE_GUARDED_BY(mutex_) = 0;  // since the last connection that worked
  base::TimePoint next_try_ TERRACE_GUARDED_BY(mutex_){};
  base::Random random_ TERRACE_GUARDED_BY(mutex_);
};

}  // namespace terrace::client
