// A Unix stream socket that carries frames and their descriptors. It never blocks: what the socket does not
// take is queued, what it has not brought yet is waited for by whoever polls fd(). Not thread-safe, but that
// one thread may send while another one receives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include <terrace/error.h>

#include "io/descriptor.h"
#include "wire/frame.h"

namespace terrace::wire {

// One frame as it came. The message points into the socket's buffer: valid until the next receive().
struct Received {
  const Message* message = nullptr;
  std::span<const std::byte> bytes;  // that it stands in
  std::vector<io::Descriptor> descriptors;
};

class FrameSocket {
 public:
  explicit FrameSocket(io::Descriptor socket);

  int fd() const { return socket_.get(); }

  // The next whole frame, or nothing yet: a read that brought less than it could was the last of its round.
  // Errors: kClosed when the peer has ended; kIo; kCorrupt and kLimitExceeded of a frame that is none: the
  // stream cannot be followed any further.
  Result<std::optional<Received>> receive();

  // Sends what the builder has finished, with copies of the descriptors. Errors: kClosed, kIo.
  Result<void> send(flatbuffers::FlatBufferBuilder& builder, std::span<const int> descriptors = {});
  // Goes on with what is queued.
  Result<void> flush();
  // Nothing is sent or received any more; the peer sees the end.
  void end();
  uint64_t queued_bytes() const { return queued_bytes_; }

 private:
  struct Outgoing {
    std::vector<std::byte> bytes;
    size_t sent = 0;
    std::vector<io::Descriptor> descriptors;  // go with the first byte
  };
  Result<bool> read_some();  // false: nothing there now
  // How many bytes went; 0: the socket takes none now.
  Result<size_t> write_some(std::span<const std::span<const std::byte>> pieces,
                            std::span<const int> descriptors);

  io::Descriptor socket_;
  std::vector<std::byte> inbox_;
  bool drained_ = false;        // by the last read
  size_t begin_ = 0, end_ = 0;  // of what came and was not handed out
  std::deque<io::Descriptor> came_;
  std::deque<Outgoing> outbox_;
  uint64_t queued_bytes_ = 0;
};

}  // namespace terrace::wire
