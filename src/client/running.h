// Retrieves that a remote store has under way: the states behind the handles. Each ends once: by the server's
// answer, by the end of the connection, or by giving up when the server does not answer in time.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "client/connection.h"
#include "client/event_router.h"
#include "surface/operations.h"

namespace terrace::client {

// One reason for the first of them, and that the others stand behind it (Q5).
std::vector<MissReason> missed(size_t keys, MissReason reason);

class Running : public Pending {
 public:
  Running(std::shared_ptr<Connection> connection, base::Clock& clock, base::TimePoint deadline,
          Recipient recipient)
      : connection_(std::move(connection)),
        clock_(clock),
        deadline_(deadline),
        recipient_(std::move(recipient)) {}

  // Ends it when its time is over; else reads what the server sent. True: it has its result.
  bool has_ended();
  // Until it has its result.
  void wait_for_result();
  // Asks the server to end it early.
  void ask_to_end();
  void give_up_if_late();

 protected:
  // True for the one who brings the result; told() ends it.
  bool claim() { return !claimed_.exchange(true); }
  void told();
  virtual void end_with(MissReason reason) = 0;
  bool has_result() const { return result_.load(std::memory_order_acquire); }
  const std::shared_ptr<Connection>& connection() const { return connection_; }
  const Recipient& recipient() const { return recipient_; }
  base::Clock& clock() const { return clock_; }

 private:
  const std::shared_ptr<Connection> connection_;
  base::Clock& clock_;
  const base::TimePoint deadline_;
  const Recipient recipient_;
  std::atomic<bool> claimed_{false}, result_{false};
};

class RemoteLookup final : public LookupOperation::State, public Running {
 public:
  RemoteLookup(size_t keys, std::shared_ptr<Connection> connection, base::Clock& clock,
               base::TimePoint deadline, Recipient recipient)
      : Running(std::move(connection), clock, deadline, std::move(recipient)), keys_(keys) {}
  bool ready() override { return has_ended(); }
  std::optional<LookupResult> take() override {
    return has_ended() ? std::exchange(answer_, std::nullopt) : std::nullopt;
  }
  void cancel() override { ask_to_end(); }
  bool answered(Result<Reply> reply) override;

 private:
  void end_with(MissReason reason) override;
  const size_t keys_;
  std::optional<LookupResult> answer_;
};

class RemoteGet final : public GetOperation::State, public Running {
 public:
  RemoteGet(std::span<const Key> keys, std::shared_ptr<Connection> connection, base::Clock& clock,
            base::TimePoint deadline, Recipient recipient)
      : Running(std::move(connection), clock, deadline, std::move(recipient)),
        keys_(keys.begin(), keys.end()) {}
  bool ready() override { return has_ended(); }
  std::optional<Blocks> take() override {
    return has_ended() ? std::exchange(blocks_, std::nullopt) : std::nullopt;
  }
  bool wait() override {
    wait_for_result();
    return true;
  }
  void cancel() override { ask_to_end(); }
  bool answered(Result<Reply> reply) override;

 private:
  void end_with(MissReason reason) override;
  const std::vector<Key> keys_;
  std::optional<Blocks> blocks_;
};

// done() is the release of the caller's memory, behind the result.
class RemoteInto final : public IntoOperation::State, public Running {
 public:
  RemoteInto(size_t keys, std::shared_ptr<Connection> connection, base::Clock& clock,
             base::TimePoint deadline, Recipient recipient)
      : Running(std::move(connection), clock, deadline, std::move(recipient)), keys_(keys) {}
  bool ready() override { return has_ended(); }
  bool released() override;
  IntoResult result() override { return answer_; }
  bool wait(Timeout timeout) override;
  void cancel() override { ask_to_end(); }
  bool answered(Result<Reply> reply) override;

 private:
  void end_with(MissReason reason) override;
  void release();
  const size_t keys_;
  IntoResult answer_;
};

class RemotePrefetch final : public PrefetchTicket::State {
 public:
  // `number` 0: it never began.
  RemotePrefetch(size_t keys, std::shared_ptr<Connection> connection, uint64_t number, base::Clock& clock,
                 Timeout patience)
      : keys_(keys),
        connection_(std::move(connection)),
        number_(number),
        clock_(clock),
        patience_(patience) {}
  ~RemotePrefetch() override { cancel(); }
  PrefetchTicket::Progress progress() override;
  void cancel() override;
  void release() override;
  // For the requests that take its blocks; 0 on another connection.
  uint64_t number_on(const Connection& connection) const {
    return connection_.get() == &connection ? number_.load() : 0;
  }

 private:
  const size_t keys_;
  const std::shared_ptr<Connection> connection_;
  std::atomic<uint64_t> number_;
  base::Clock& clock_;
  const Timeout patience_;
};

// Of a Found: with its pin, until the last handle goes.
LookupResult lookup_result(const wire::Found& found, size_t keys,
                           const std::shared_ptr<Connection>& connection);

}  // namespace terrace::client
