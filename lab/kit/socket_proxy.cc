#include "lab/kit/socket_proxy.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <optional>
#include <span>
#include <utility>

#include "base/assert.h"
#include "wire/frame.h"
#include "wire/socket_address.h"

namespace terrace::lab {
namespace {

using WallClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr size_t kReadBytes = 16 << 10;
constexpr uint64_t kQueuedBytesMax = 256 << 10;  // in one direction of a link
constexpr size_t kPieceMost = 96;
constexpr milliseconds kLate{2};
constexpr milliseconds kLostBeforeTheEnd{20};  // how long a truncated link looks alive
constexpr size_t kControlBytes = CMSG_SPACE(wire::kDescriptorsMax * sizeof(int));

io::Descriptor unix_socket() {
  return io::Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

io::Descriptor listen_at(const std::string& path) {
  io::Descriptor socket = unix_socket();
  const auto address = wire::socket_address(path);
  TERRACE_ASSERT(address.has_value());
  ::unlink(path.c_str());
  TERRACE_ASSERT(::bind(socket.get(), wire::generic(*address), sizeof *address) == 0);
  TERRACE_ASSERT(::listen(socket.get(), 16) == 0);
  return socket;
}

// What was read at once; its descriptors go with the first byte.
struct Chunk {
  std::vector<std::byte> bytes;
  size_t sent = 0;
  std::vector<io::Descriptor> descriptors{};
};

// One direction of a link.
class Flow {
 public:
  Flow(int from, int to, LinkPlan::Pace pace) : from_(from), to_(to), pace_(pace) {}

  bool wants_more() const { return !ended_ && queued_ < kQueuedBytesMax; }
  bool has_some() const { return !chunks_.empty(); }
  bool ended() const { return ended_; }  // nothing more comes
  uint64_t passed() const { return passed_; }
  WallClock::time_point held_until() const { return held_until_; }
  void hold(milliseconds time) { held_until_ = std::max(held_until_, WallClock::now() + time); }
  // From now on what comes is lost.
  void lose() {
    loses_ = true;
    chunks_.clear();
    queued_ = 0;
  }
  void end() { ended_ = true; }

  void take() {
    Chunk chunk{std::vector<std::byte>(kReadBytes)};
    alignas(cmsghdr) std::array<char, kControlBytes> control;
    iovec piece{chunk.bytes.data(), chunk.bytes.size()};
    msghdr header{};
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const ssize_t got = ::recvmsg(from_, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    for (cmsghdr* part = got < 0 ? nullptr : CMSG_FIRSTHDR(&header); part != nullptr;
         part = CMSG_NXTHDR(&header, part)) {
      if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
      for (size_t at = 0; at + sizeof(int) <= part->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(part) + at, sizeof fd);
        chunk.descriptors.emplace_back(fd);
      }
    }
    if (got <= 0) return end();
    if (loses_) return;
    chunk.bytes.resize(static_cast<size_t>(got));
    if (pace_ == LinkPlan::Pace::kLate && chunks_.empty()) hold(kLate);
    queued_ += chunk.bytes.size();
    chunks_.push_back(std::move(chunk));
  }

  // At most `most` bytes; false: the other side has gone.
  bool give(uint64_t most) {
    Chunk& chunk = chunks_.front();
    const auto rest = std::span(chunk.bytes).subspan(chunk.sent);
    iovec piece{rest.data(), std::min<size_t>({rest.size(), step(), most})};
    msghdr header{};
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, kControlBytes> control{};
    if (!chunk.descriptors.empty()) {
      std::vector<int> fds;
      for (const io::Descriptor& descriptor : chunk.descriptors) fds.push_back(descriptor.get());
      header.msg_control = control.data();
      header.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
      cmsghdr* const rights = CMSG_FIRSTHDR(&header);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
      std::memcpy(CMSG_DATA(rights), fds.data(), fds.size() * sizeof(int));
    }
    const ssize_t sent = ::sendmsg(to_, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    chunk.descriptors.clear();
    chunk.sent += static_cast<size_t>(sent);
    passed_ += static_cast<uint64_t>(sent);
    queued_ -= static_cast<uint64_t>(sent);
    if (chunk.sent == chunk.bytes.size()) chunks_.pop_front();
    return true;
  }

 private:
  size_t step() {
    if (pace_ == LinkPlan::Pace::kByteByByte) return 1;
    if (pace_ != LinkPlan::Pace::kPieces) return kReadBytes;
    return 1 + (passed_ * 31 + queued_ * 7) % kPieceMost;
  }

  const int from_, to_;
  const LinkPlan::Pace pace_;
  std::deque<Chunk> chunks_;
  uint64_t passed_ = 0, queued_ = 0;
  WallClock::time_point held_until_{};
  bool ended_ = false, loses_ = false;
};

}  // namespace

class SocketProxy::Link {
 public:
  Link(io::Descriptor client, io::Descriptor server, const LinkPlan& plan, Counters& counters)
      : plan_(plan),
        counters_(counters),
        client_(std::move(client)),
        server_(std::move(server)),
        requests_(client_.get(), server_.get(), plan.pace),
        answers_(server_.get(), client_.get(), plan.pace) {
    ++counters_.links;
    if (plan.pace == LinkPlan::Pace::kByteByByte) ++counters_.one_byte;
    if (plan.pace == LinkPlan::Pace::kPieces) ++counters_.pieces;
    if (plan.pace == LinkPlan::Pace::kLate) ++counters_.late;
  }

  bool is_over() const { return over_; }

  // What poll is to wait for, in the order of came().
  std::array<pollfd, 2> waits() const {
    const auto now = WallClock::now();
    const auto side = [&](const io::Descriptor& socket, const Flow& in, const Flow& out) {
      short events = in.wants_more() ? POLLIN : 0;
      if (out.has_some() && out.held_until() <= now) events = static_cast<short>(events | POLLOUT);
      return pollfd{events == 0 ? -1 : socket.get(), events, 0};
    };
    return {side(client_, requests_, answers_), side(server_, answers_, requests_)};
  }
  // When it goes on without either side; nothing: it waits for them.
  std::optional<WallClock::time_point> goes_on_at() const {
    std::optional<WallClock::time_point> at = end_at_;
    for (const Flow* flow : {&requests_, &answers_}) {
      const bool held = flow->has_some() && flow->held_until() > WallClock::now();
      if (held && (!at || flow->held_until() < *at)) at = flow->held_until();
    }
    return at;
  }

  void came(const std::array<pollfd, 2>& found) {
    pass(requests_, found[0].revents, found[1].revents, !plan_.counts_answers);
    if (!over_) pass(answers_, found[1].revents, found[0].revents, plan_.counts_answers);
    if (!over_) close_what_ended();
  }

 private:
  void pass(Flow& flow, short in, short out, bool counts) {
    if (in != 0 && flow.wants_more()) flow.take();
    if (!flow.has_some() || out == 0 || flow.held_until() > WallClock::now()) return;
    const bool ends = counts && plan_.end != LinkPlan::End::kNone && !end_begun_;
    const uint64_t most = ends ? plan_.end_after - flow.passed() : kReadBytes;
    if (most > 0 && !flow.give(most)) return flow.lose();
    if (&flow == &requests_ && plan_.stall.count() > 0 && flow.passed() >= plan_.stall_after) {
      requests_.hold(plan_.stall);
      answers_.hold(plan_.stall);
      plan_.stall = {};
      ++counters_.stalls;
    }
    if (ends && flow.passed() >= plan_.end_after) begin_end();
  }

  void begin_end() {
    end_begun_ = true;
    if (plan_.end == LinkPlan::End::kHalfClose) ++counters_.half_closes;
    if (plan_.end == LinkPlan::End::kTruncate) ++counters_.truncations;
    if (plan_.end == LinkPlan::End::kReset) ++counters_.resets;
    if (plan_.end == LinkPlan::End::kReset) {
      over_ = true;
      return;
    }
    requests_.lose();
    if (plan_.end == LinkPlan::End::kTruncate && plan_.counts_answers) answers_.lose();
    const bool at_once = plan_.end == LinkPlan::End::kHalfClose;
    end_at_ = WallClock::now() + (at_once ? milliseconds(0) : kLostBeforeTheEnd);
  }

  // The server first: its end goes on to the client.
  void close_what_ended() {
    const bool due = end_at_ && *end_at_ <= WallClock::now();
    if (due || (requests_.ended() && !requests_.has_some())) {
      ::shutdown(server_.get(), SHUT_WR);
      requests_.end();
      requests_.lose();
      end_at_.reset();
    }
    over_ = answers_.ended() && !answers_.has_some();
  }

  LinkPlan plan_;
  Counters& counters_;
  const io::Descriptor client_, server_;
  Flow requests_, answers_;
  std::optional<WallClock::time_point> end_at_{};
  bool end_begun_ = false, over_ = false;
};

SocketProxy::SocketProxy(const std::string& path, std::string server, std::function<LinkPlan()> draw)
    : server_(std::move(server)),
      draw_(std::move(draw)),
      listener_(listen_at(path)),
      wake_(::eventfd(0, EFD_CLOEXEC)),
      thread_([this] { run(); }) {}

SocketProxy::~SocketProxy() {
  ends_ = true;
  const uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(wake_.get(), &one, sizeof one);
}

void SocketProxy::accept_all() {
  for (;;) {
    io::Descriptor client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (client.get() < 0) return;
    io::Descriptor server = unix_socket();
    const auto address = wire::socket_address(server_);
    if (::connect(server.get(), wire::generic(*address), sizeof *address) != 0)
      continue;  // the client sees the end
    links_.push_back(std::make_unique<Link>(std::move(client), std::move(server), draw_(), counters_));
  }
}

SocketProxy::Counts SocketProxy::counts() const {
  const Counters& now = counters_;
  return {now.links,  now.one_byte,    now.pieces,      now.late,
          now.stalls, now.half_closes, now.truncations, now.resets};
}

void SocketProxy::run() {
  while (!ends_) {
    std::vector<pollfd> waits{{wake_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    auto next = WallClock::now() + std::chrono::seconds(1);
    for (const auto& link : links_) {
      std::ranges::copy(link->waits(), std::back_inserter(waits));
      next = std::min(next, link->goes_on_at().value_or(next));
    }
    const auto left = std::chrono::ceil<milliseconds>(next - WallClock::now());
    ::poll(waits.data(), waits.size(), static_cast<int>(std::max(left, milliseconds(0)).count()));
    for (size_t i = 0; i < links_.size(); i++) links_[i]->came({waits[2 + 2 * i], waits[3 + 2 * i]});
    std::erase_if(links_, [](const auto& link) { return link->is_over(); });
    if ((waits[1].revents & POLLIN) != 0) accept_all();
    open_links_ = links_.size();
  }
}

}  // namespace terrace::lab
