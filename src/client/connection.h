// A connection to the server of this node: sends requests, hands each answer to who waits for it, and maps
// the memory that answers name. From any thread. No thread of its own: whoever waits for an answer, or looks
// whether one is there, reads the socket, for itself and for the others.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <sys/types.h>

#include <boost/unordered/unordered_flat_map.hpp>

#include <terrace/error.h>
#include <terrace/key.h>
#include <terrace/options.h>

#include "base/clock.h"
#include "base/mutex.h"
#include "client/parts.h"
#include "client/process_mark.h"
#include "memory/mapping.h"
#include "wire/frame_socket.h"
#include "wire/key_lists.h"

namespace terrace::client {

// An answer, with the bytes it stands in.
class Reply {
 public:
  explicit Reply(std::span<const std::byte> bytes);
  const wire::Message& message() const { return *wire::GetMessage(bytes_.data()); }
  // Null when the server answered something else.
  template <class T>
  const T* as() const {
    return message().body_as<T>();
  }

 private:
  std::vector<uint64_t> bytes_;  // aligned as the message is
};

// The reply if it is a T, or why there is none. Errors also: kCorrupt for an answer to something else.
template <class T>
Result<Reply> expect(Result<Reply> reply) {
  if (reply && reply->as<T>() == nullptr) return fail(Code::kCorrupt, "the server answered something else");
  return reply;
}

// Bytes of memory that the server shares, and what keeps them mapped.
struct SharedBytes {
  std::shared_ptr<const memory::Mapping> mapping;
  std::span<std::byte> bytes;  // written only where the server gave a buffer
};

// A request under way. answered() comes from whichever thread reads, never under a lock of the connection.
class Pending {
 public:
  virtual ~Pending() = default;
  // An answer, or the error that stands for it: the server's refusal, or kClosed when the connection ended.
  // True: the last one of this request. The end may come beside an answer, from another thread too.
  virtual bool answered(Result<Reply> reply) = 0;
  bool done() const { return done_.load(std::memory_order_acquire); }
  uint64_t request() const { return request_; }

 protected:
  // True for the first who says so.
  bool set_done() { return !done_.exchange(true, std::memory_order_acq_rel); }

 private:
  friend class Connection;
  std::atomic<bool> done_{false};
  uint64_t request_ = 0;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Builder = flatbuffers::FlatBufferBuilder;
  // Builds a request's body; lists of keys are written with the second.
  using Make = std::function<flatbuffers::Offset<void>(Builder&, wire::KeyListWriter&)>;
  using OnTold = std::function<void(const Reply&)>;  // of what no request asked for: Event, Changes

  struct Options {
    std::string path;
    std::string client;  // for people
    std::vector<Namespace> namespaces{};
    OnTold on_told{};  // as Pending::answered
  };
  // Errors name the path: kNotFound (nobody listens), kPermission, kIncompatible, and what else the server
  // answered.
  static Outcome<std::shared_ptr<Connection>> open(const Options& options, const ClientParts& parts,
                                                   base::TimePoint deadline);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Asks and waits. Errors: what the server refused with; kDeadline; kClosed when the connection has ended,
  // and in a fork of the process that made it.
  Result<Reply> call(wire::Body type, const Make& make, base::TimePoint deadline,
                     std::span<const int> descriptors = {}) TERRACE_EXCLUDES(mutex_);
  // Asks; `pending` is told. Errors: kClosed, kLimitExceeded; then it is not told.
  Result<void> begin(wire::Body type, const Make& make, const std::shared_ptr<Pending>& pending,
                     std::span<const int> descriptors = {}) TERRACE_EXCLUDES(mutex_);
  // Reads until it is done. False at the deadline.
  bool wait(const Pending& pending, base::TimePoint deadline) TERRACE_EXCLUDES(mutex_);
  // Reads what is there, unless another thread does. Never blocks.
  void look() TERRACE_EXCLUDES(mutex_);
  // Nobody waits for it any more: what its answer gives is given back.
  void abandon(const Pending& pending) TERRACE_EXCLUDES(mutex_);
  // Tells what has no answer. Errors: kClosed.
  Result<void> tell(wire::Body type, const Make& make) TERRACE_EXCLUDES(mutex_);
  void release(uint64_t hold) TERRACE_EXCLUDES(mutex_);
  // Ends what is under way (kClosed); nothing new is asked. What is held is given back as its handles go.
  void finish() TERRACE_EXCLUDES(mutex_);
  // Errors: kNotFound for memory the server has not shared, kCorrupt for a place outside of it, kClosed.
  Result<SharedBytes> bytes_at(const wire::Place& place) TERRACE_EXCLUDES(mutex_);

  bool closed() const TERRACE_EXCLUDES(mutex_);
  int fd() const { return fd_; }               // readable when there may be something to look at
  uint64_t number() const { return number_; }  // of this process's connections: no two have the same
  L1Mode mode() const { return mode_; }
  uint64_t l1_bytes() const { return l1_bytes_; }
  Timeout timeout() const { return timeout_; }  // of retrieves that name none

 private:
  // What was read, for whom; told when the mutex is not held.
  struct Arrived {
    std::shared_ptr<Pending> pending;  // null: an event
    Result<Reply> reply;
  };
  Connection(wire::FrameSocket socket, OnTold on_told, const ClientParts& parts);

  bool is_fork() const;
  Result<void> send(uint64_t id, wire::Body type, const Make& make, std::span<const int> descriptors)
      TERRACE_REQUIRES(mutex_);
  void read_frames(std::vector<Arrived>& arrived) TERRACE_REQUIRES(mutex_);
  Result<void> take(wire::Received& received, std::vector<Arrived>& arrived) TERRACE_REQUIRES(mutex_);
  Result<void> map(wire::Received& received) TERRACE_REQUIRES(mutex_);
  void unmap(std::span<const uint64_t> memories) TERRACE_REQUIRES(mutex_);
  void give_back(const wire::Message& answer) TERRACE_REQUIRES(mutex_);
  void end(const Error& error, std::vector<Arrived>& arrived) TERRACE_REQUIRES(mutex_);
  void tell_all(std::vector<Arrived>& arrived) TERRACE_EXCLUDES(mutex_);
  bool wait_for_socket(base::TimePoint deadline) TERRACE_REQUIRES(mutex_);

  base::Clock& clock_;
  const decltype(ClientParts::wait) wait_;
  const ProcessMark process_;
  const int fd_;
  const OnTold on_told_;
  const uint64_t number_;
  L1Mode mode_ = L1Mode::kCache;
  uint64_t l1_bytes_ = 0;
  Timeout timeout_{};

  mutable base::Mutex mutex_;
  base::Condition changed_;
  wire::FrameSocket socket_ TERRACE_GUARDED_BY(mutex_);
  wire::KeyListWriter lists_ TERRACE_GUARDED_BY(mutex_);
  Builder builder_ TERRACE_GUARDED_BY(mutex_);
  bool reading_ TERRACE_GUARDED_BY(mutex_) = false;  // a thread reads, or tells what it has read
  std::optional<Error> ended_ TERRACE_GUARDED_BY(mutex_);
  bool finished_ TERRACE_GUARDED_BY(mutex_) = false;
  uint64_t last_request_ TERRACE_GUARDED_BY(mutex_) = 0;
  boost::unordered_flat_map<uint64_t, std::shared_ptr<Pending>> pending_ TERRACE_GUARDED_BY(mutex_);
  boost::unordered_flat_map<uint64_t, std::shared_ptr<const memory::Mapping>> memories_
      TERRACE_GUARDED_BY(mutex_);
};

}  // namespace terrace::client
