// What a running operation's handle asks of it. Any thread.
#pragma once

#include <optional>

#include <terrace/store.h>

namespace terrace {

class LookupOperation::State {
 public:
  virtual ~State() = default;
  virtual bool ready() = 0;
  virtual std::optional<LookupResult> take() = 0;  // empty before it is ready
  virtual void cancel() = 0;
};

class GetOperation::State {
 public:
  virtual ~State() = default;
  virtual bool ready() = 0;
  virtual std::optional<Blocks> take() = 0;  // empty before it is ready
  // Until it is ready; false when it cannot become so any more. Its own deadline bounds it.
  virtual bool wait() = 0;
  virtual void cancel() = 0;
};

class IntoOperation::State {
 public:
  virtual ~State() = default;
  virtual bool ready() = 0;
  virtual bool released() = 0;
  virtual IntoResult result() = 0;         // once ready
  virtual bool wait(Timeout timeout) = 0;  // until released
  virtual void cancel() = 0;
};

class PrefetchTicket::State {
 public:
  virtual ~State() = default;
  virtual PrefetchTicket::Progress progress() = 0;
  virtual void cancel() = 0;
  virtual void release() = 0;
};

}  // namespace terrace
