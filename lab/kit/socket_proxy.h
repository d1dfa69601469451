// A proxy between clients of a Unix socket and the server behind it. It forwards bytes and descriptors, and
// does to each connection what its plan says. What no socket does it does not do either: of a connection that
// goes on no byte is lost or changed, and a client sees the end after the server has, which is how it knows
// that nothing touches its memory any more (docs/protocol.md). A thread of its own.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "io/descriptor.h"

namespace terrace::lab {

struct LinkPlan {
  enum class Pace : uint8_t {
    kAsItComes,
    kByteByByte,
    kPieces,
    kLate
  };  // late: what came meanwhile together
  enum class End : uint8_t {
    kNone,
    kHalfClose,  // the server is sent nothing more; its answers still come
    kTruncate,   // what follows is lost; then the end
    kReset,      // both sides at once, with bytes unread. Not under a client whose memory the server touches
  };
  Pace pace = Pace::kAsItComes;
  End end = End::kNone;
  uint64_t end_after = 0;  // bytes toward the server, or toward the client
  bool counts_answers = false;
  std::chrono::milliseconds stall{0};  // once, in both directions
  uint64_t stall_after = 0;            // bytes toward the server
};

class SocketProxy {
 public:
  struct Counts {
    uint64_t links = 0, one_byte = 0, pieces = 0, late = 0, stalls = 0;
    uint64_t half_closes = 0, truncations = 0, resets = 0;
  };

  // Listens at `path`. `draw` is asked by the proxy's thread for each connection.
  SocketProxy(const std::string& path, std::string server, std::function<LinkPlan()> draw);
  // Ends every connection.
  ~SocketProxy();
  SocketProxy(const SocketProxy&) = delete;
  SocketProxy& operator=(const SocketProxy&) = delete;

  // Connections that have not ended.
  uint64_t open_links() const { return open_links_.load(); }
  // What was done until now.
  Counts counts() const;

 private:
  class Link;
  struct Counters {
    std::atomic<uint64_t> links{0}, one_byte{0}, pieces{0}, late{0}, stalls{0};
    std::atomic<uint64_t> half_closes{0}, truncations{0}, resets{0};
  };

  void run();
  void accept_all();

  const std::string server_;
  const std::function<LinkPlan()> draw_;
  const io::Descriptor listener_;
  const io::Descriptor wake_;
  std::vector<std::unique_ptr<Link>> links_;  // the thread's
  std::atomic<uint64_t> open_links_{0};
  std::atomic<bool> ends_{false};
  Counters counters_;
  std::jthread thread_;
};

}  // namespace terrace::lab
