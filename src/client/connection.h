// A connection to the server of this node: sends requests, hands each answer to who waits for it, and maps
// the memory that answers name. From any thread. No thread of its own: whoever waits for an answer reads the
// socket, for itself and for the others.
#pragma once

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

#include "base/clock.h"
#include "base/mutex.h"
#include "memory/mapping.h"
#include "wire/frame_socket.h"

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

// Bytes of memory that the server shares, and what keeps them mapped.
struct SharedBytes {
  std::shared_ptr<const memory::Mapping> mapping;
  std::span<std::byte> bytes;  // written only where the server gave a buffer
};

class Connection {
 public:
  using Builder = flatbuffers::FlatBufferBuilder;
  using Make = std::function<flatbuffers::Offset<void>(Builder&)>;

  // Errors name the path: kNotFound (nobody listens), kPermission, kIncompatible, and what else the server
  // answered.
  static Outcome<std::shared_ptr<Connection>> open(const std::string& path, const std::string& client,
                                                   base::Clock& clock, base::TimePoint deadline);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Asks and waits. `make` builds the request's body. Errors: what the server refused with; kDeadline;
  // kClosed when the connection has ended, and in a fork of the process that made it.
  Result<Reply> call(wire::Body type, const Make& make, base::TimePoint deadline) TERRACE_EXCLUDES(mutex_);
  // Tells what has no answer. Errors: kClosed.
  Result<void> tell(wire::Body type, const Make& make) TERRACE_EXCLUDES(mutex_);
  // Errors: kNotFound for memory the server has not shared, kCorrupt for a place outside of it.
  Result<SharedBytes> bytes_at(const wire::Place& place) TERRACE_EXCLUDES(mutex_);

  bool closed() const TERRACE_EXCLUDES(mutex_);
  uint32_t session() const { return session_; }
  uint8_t mode() const { return mode_; }

 private:
  struct Waiting {
    std::optional<Reply> reply;
  };
  Connection(wire::FrameSocket socket, base::Clock& clock);

  bool is_fork() const;
  Result<void> send(uint64_t id, wire::Body type, const Make& make) TERRACE_REQUIRES(mutex_);
  // Reads until the answer is there; only one thread at a time.
  Result<void> read_for(const Waiting& waiting, base::TimePoint deadline) TERRACE_REQUIRES(mutex_);
  Result<void> take_frames() TERRACE_REQUIRES(mutex_);
  Result<void> take(wire::Received& received) TERRACE_REQUIRES(mutex_);
  Result<void> map(wire::Received& received) TERRACE_REQUIRES(mutex_);
  void let_go(std::span<const uint64_t> memories) TERRACE_REQUIRES(mutex_);
  bool wait_for_socket(base::TimePoint deadline) TERRACE_REQUIRES(mutex_);

  base::Clock& clock_;
  const pid_t process_;
  uint32_t session_ = 0;
  uint8_t mode_ = 0;

  mutable base::Mutex mutex_;
  base::Condition changed_;
  wire::FrameSocket socket_ TERRACE_GUARDED_BY(mutex_);
  bool reading_ TERRACE_GUARDED_BY(mutex_) = false;
  std::optional<Error> ended_ TERRACE_GUARDED_BY(mutex_);
  uint64_t last_request_ TERRACE_GUARDED_BY(mutex_) = 0;
  boost::unordered_flat_map<uint64_t, Waiting*> waiting_ TERRACE_GUARDED_BY(mutex_);
  boost::unordered_flat_map<uint64_t, std::shared_ptr<const memory::Mapping>> memories_
      TERRACE_GUARDED_BY(mutex_);
};

}  // namespace terrace::client
