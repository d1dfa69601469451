#include "wire/frame_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/assert.h"

namespace terrace::wire {
namespace {

constexpr size_t kReadAhead = 64 << 10;
constexpr size_t kControlBytes = CMSG_SPACE(kDescriptorsMax * sizeof(int));

// Takes the descriptors that came with a read, so that none leaks whatever the peer sends.
bool take_descriptors(msghdr& header, std::deque<io::Descriptor>& into) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      into.emplace_back(fd);
    }
  }
  return (header.msg_flags & MSG_CTRUNC) == 0;
}

}  // namespace

FrameSocket::FrameSocket(io::Descriptor socket) : socket_(std::move(socket)) {
  ::fcntl(socket_.get(), F_SETFL, ::fcntl(socket_.get(), F_GETFL) | O_NONBLOCK);
}

Result<std::optional<Received>> FrameSocket::receive() {
  for (;;) {
    const size_t there = end_ - begin_;
    if (there >= kHeaderBytes) {
      const auto header = decode_header(std::span(inbox_).subspan(begin_).first<kHeaderBytes>());
      if (!header) return std::unexpected(header.error());
      const size_t whole = kHeaderBytes + header->message_bytes;
      if (there >= whole) {
        const auto bytes = std::span(inbox_).subspan(begin_ + kHeaderBytes, header->message_bytes);
        const auto message = decode_message(bytes);
        if (!message) return std::unexpected(message.error());
        if (came_.size() < header->descriptors)
          return fail(Code::kCorrupt, "a frame without its descriptors");
        Received received{*message, bytes, {}};
        for (uint16_t i = 0; i < header->descriptors; ++i) {
          received.descriptors.push_back(std::move(came_.front()));
          came_.pop_front();
        }
        begin_ += whole;
        return received;
      }
    }
    if (std::exchange(drained_, false)) return std::nullopt;
    const auto more = read_some();
    if (!more) return std::unexpected(more.error());
    if (!*more) return std::nullopt;
  }
}

Result<bool> FrameSocket::read_some() {
  if (begin_ == end_) begin_ = end_ = 0;
  if (inbox_.size() - end_ < kHeaderBytes) {
    // Grows with what comes, not with what a header claims; what a large frame took is not kept.
    std::vector<std::byte> fresh(std::max(kReadAhead, 2 * (end_ - begin_)));
    std::copy(inbox_.begin() + static_cast<std::ptrdiff_t>(begin_),
              inbox_.begin() + static_cast<std::ptrdiff_t>(end_), fresh.begin());
    end_ -= begin_;
    begin_ = 0;
    inbox_ = std::move(fresh);
  }
  alignas(cmsghdr) std::array<char, kControlBytes> control;
  iovec piece{inbox_.data() + end_, inbox_.size() - end_};
  msghdr header{};
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t got = 0;
  do got = ::recvmsg(socket_.get(), &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  while (got < 0 && errno == EINTR);
  if (got < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
    if (errno == ECONNRESET) return fail(Code::kClosed, "the peer has gone");
    return fail(Code::kIo, "recvmsg", errno);
  }
  const bool all = take_descriptors(header, came_);
  if (got == 0) return fail(Code::kClosed, "the peer has closed");
  if (!all || came_.size() > kDescriptorsMax)
    return fail(Code::kLimitExceeded, "more descriptors than a frame may have");
  // A read ends behind descriptors, whatever else is there.
  drained_ = static_cast<size_t>(got) < piece.iov_len && header.msg_controllen == 0;
  end_ += static_cast<size_t>(got);
  return true;
}

Result<size_t> FrameSocket::write_some(std::span<const std::span<const std::byte>> pieces,
                                       std::span<const int> descriptors) {
  std::array<iovec, 2> parts{};
  TERRACE_ASSERT(pieces.size() <= parts.size() && descriptors.size() <= kDescriptorsMax);
  for (size_t i = 0; i < pieces.size(); ++i)
    parts[i] = {const_cast<std::byte*>(pieces[i].data()), pieces[i].size()};
  alignas(cmsghdr) std::array<char, kControlBytes> control{};
  msghdr header{};
  header.msg_iov = parts.data();
  header.msg_iovlen = pieces.size();
  if (!descriptors.empty()) {
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* const rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
  }
  ssize_t sent = 0;
  do sent = ::sendmsg(socket_.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (sent < 0 && errno == EINTR);
  if (sent >= 0) return static_cast<size_t>(sent);
  if (errno == EAGAIN || errno == EWOULDBLOCK) return size_t{0};
  if (errno == EPIPE || errno == ECONNRESET) return fail(Code::kClosed, "the peer has gone");
  return fail(Code::kIo, "sendmsg", errno);
}

Result<void> FrameSocket::send(flatbuffers::FlatBufferBuilder& builder, std::span<const int> descriptors) {
  TERRACE_ASSERT(descriptors.size() <= kDescriptorsMax);
  const std::span<const std::byte> message(reinterpret_cast<const std::byte*>(builder.GetBufferPointer()),
                                           builder.GetSize());
  const size_t whole = message_bytes(builder);
  if (whole > kMessageBytesMax) return fail(Code::kLimitExceeded, "a message has at most 16 MiB");
  size_t sent = 0;
  if (outbox_.empty() && whole == message.size()) {
    const auto header = encode({static_cast<uint32_t>(whole), static_cast<uint16_t>(descriptors.size())});
    const std::array<std::span<const std::byte>, 2> pieces{header, message};
    const auto went = write_some(pieces, descriptors);
    if (!went) return std::unexpected(went.error());
    sent = *went;
    if (sent == kHeaderBytes + whole) return {};
  }
  Outgoing queued;
  queued.bytes = frame_of(builder, descriptors.size());
  queued.sent = sent;
  for (const int fd : sent == 0 ? descriptors : std::span<const int>{}) {
    io::Descriptor copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (copy.get() < 0) return fail(Code::kLimitExceeded, "no descriptor to send", errno);
    queued.descriptors.push_back(std::move(copy));
  }
  queued_bytes_ += queued.bytes.size() - sent;
  outbox_.push_back(std::move(queued));
  return flush();
}

void FrameSocket::end() {
  ::shutdown(socket_.get(), SHUT_RDWR);
  outbox_.clear();
  queued_bytes_ = 0;
  came_.clear();
}

Result<void> FrameSocket::flush() {
  while (!outbox_.empty()) {
    Outgoing& next = outbox_.front();
    std::vector<int> descriptors;
    if (next.sent == 0) {
      for (const io::Descriptor& descriptor : next.descriptors) descriptors.push_back(descriptor.get());
    }
    const std::array<std::span<const std::byte>, 1> rest{std::span(next.bytes).subspan(next.sent)};
    const auto went = write_some(rest, descriptors);
    if (!went) return std::unexpected(went.error());
    if (*went == 0) return {};
    next.sent += *went;
    queued_bytes_ -= *went;
    if (next.sent == next.bytes.size()) outbox_.pop_front();
  }
  return {};
}

}  // namespace terrace::wire
