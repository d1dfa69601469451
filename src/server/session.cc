#include "server/session.h"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>

#include "base/log.h"

namespace terrace::server {

namespace asio = boost::asio;

namespace {

constexpr uint64_t kQueuedBytesMax = 4u << 20;  // of answers the client does not take
constexpr size_t kRunningMax = 1024;            // gets of a session
constexpr size_t kApartMax = 4;                 // its requests that wait on a worker
constexpr size_t kLettingGoMax = 1024;          // memory that it was told to unmap

}  // namespace

Session::Session(Host& host, wire::FrameSocket socket, Peer peer, uint32_t number)
    : host_(host),
      store_(host.store()),
      socket_(std::move(socket)),
      peer_(std::move(peer)),
      number_(number),
      readiness_(host.io(), socket_.fd()),
      get_events_(host.io()),
      write_events_(host.io()) {}

Session::~Session() {
  // The descriptors are the socket's and the queues'.
  if (readiness_.is_open()) readiness_.release();
  if (get_events_.is_open()) get_events_.release();
  if (write_events_.is_open()) write_events_.release();
  // What it held goes before its memory becomes the store's.
  gets_.clear();
  reservations_.clear();
  holds_.clear();
  host_.gone(number_, has_ended(peer_));
}

void Session::start() {
  go_on_reading();
}

void Session::close() {
  if (std::exchange(closed_, true)) return;
  if (readiness_.is_open()) readiness_.release();
  if (get_events_.is_open()) get_events_.release();
  if (write_events_.is_open()) write_events_.release();
  gets_.clear();
  reservations_.clear();
  socket_.end();
  host_.left(*this);
}

// --- reading

// A client that does not take its answers, or asks for more than it waits for, is not listened to meanwhile:
// what it can make the server keep is bounded.
bool Session::may_read() const {
  return !closed_ && !last_answer_ && socket_.queued_bytes() <= kQueuedBytesMax &&
         gets_.size() < kRunningMax && apart_ < kApartMax;
}

void Session::go_on_reading() {
  if (reading_ || !may_read()) return;
  reading_ = true;
  await_frames();
}

void Session::await_frames() {
  readiness_.async_wait(asio::posix::stream_descriptor::wait_read,
                        [self = shared_from_this()](const boost::system::error_code& error) {
                          if (error || self->closed_) return;
                          self->read_frames();
                        });
}

void Session::read_frames() {
  while (may_read()) {
    auto received = socket_.receive();
    if (!received) {
      if (received.error().code != Code::kClosed) {
        base::log::warn("session {} ({}): {}", number_, client_, to_string(received.error()));
        refuse(0, received.error());
      }
      return close();
    }
    if (!*received) return await_frames();
    try {
      handle(*(*received)->message);
    } catch (const std::exception& error) {  // no memory, no descriptor: this session's end, and no other's
      base::log::warn("session {} ({}): {}", number_, client_, error.what());
      refuse(0, Code::kNoMemory, "the server has no memory for the request");
      return close();
    }
  }
  reading_ = false;
}

// --- answers

void Session::await_room() {
  if (std::exchange(writing_, true)) return;
  readiness_.async_wait(asio::posix::stream_descriptor::wait_write,
                        [self = shared_from_this()](const boost::system::error_code& error) {
                          if (error || self->closed_) return;
                          self->writing_ = false;
                          if (!self->socket_.flush()) return self->close();
                          if (self->socket_.queued_bytes() > 0) return self->await_room();
                          if (self->last_answer_) return self->close();
                          self->go_on_reading();
                        });
}

void Session::send(uint64_t id, wire::Body type, Offset body, const Introduced& introduced) {
  const auto memories = introduced.memories.empty() ? 0 : builder_.CreateVectorOfStructs(introduced.memories);
  builder_.Finish(wire::CreateMessage(builder_, id, type, body, memories), wire::MessageIdentifier());
  const auto sent = socket_.send(builder_, introduced.descriptors);
  builder_.Clear();
  if (!sent) return asio::post(host_.io(), [self = shared_from_this()] { self->close(); });
  if (socket_.queued_bytes() > 0) await_room();
}

void Session::refuse(uint64_t id, Code code, std::string_view message) {
  builder_.Clear();
  const auto text = builder_.CreateString(message.data(), message.size());
  send(id, wire::Body::Failed, wire::CreateFailed(builder_, static_cast<uint8_t>(code), text).Union());
}

void Session::introduce(const memory::SharedMemory& memory, bool writable, Introduced& introduced) {
  if (!known_.insert(memory.id).second) return;
  introduced.memories.emplace_back(memory.id, memory.bytes, writable);
  introduced.descriptors.push_back(memory.fd);
}

// What one frame cannot carry goes ahead of the answer.
void Session::send_ahead(Introduced& introduced) {
  while (introduced.memories.size() > wire::kDescriptorsMax) {
    const auto cut = static_cast<std::ptrdiff_t>(introduced.memories.size() - wire::kDescriptorsMax);
    Introduced part{{introduced.memories.begin() + cut, introduced.memories.end()},
                    {introduced.descriptors.begin() + cut, introduced.descriptors.end()}};
    introduced.memories.resize(static_cast<size_t>(cut));
    introduced.descriptors.resize(static_cast<size_t>(cut));
    builder_.Clear();
    send(0, wire::Body::NONE, 0, part);
  }
}

// The client lets go of memory that was replaced: nothing leased or reserved was left there.
void Session::replaced(std::span<const uint64_t> memories) {
  std::vector<uint64_t> mapped;
  for (const uint64_t id : memories) {
    if (known_.erase(id) > 0) mapped.push_back(id);
  }
  if (closed_ || mapped.empty()) return;
  letting_go_.insert(mapped.begin(), mapped.end());
  if (letting_go_.size() > kLettingGoMax) {
    base::log::warn("session {} ({}) keeps memory mapped that was replaced: closed", number_, client_);
    return boost::asio::post(host_.io(), [self = shared_from_this()] { self->close(); });
  }
  builder_.Clear();
  const auto list = builder_.CreateVector(mapped);
  wire::MessageBuilder message(builder_);
  message.add_replaced(list);
  builder_.Finish(message.Finish(), wire::MessageIdentifier());
  const auto sent = socket_.send(builder_);
  builder_.Clear();
  if (sent && socket_.queued_bytes() > 0) await_room();
}

// --- the store's events

bool Session::watch(std::shared_ptr<CompletionQueue>& queue, asio::posix::stream_descriptor& readable,
                    void (Session::*came)()) {
  if (queue != nullptr) return true;
  auto made = store_.make_queue();
  boost::system::error_code error;
  if (made->fd() >= 0) readable.assign(made->fd(), error);
  if (made->fd() < 0 || error) return false;
  queue = std::move(made);
  await_events(*queue, readable, came);
  return true;
}

void Session::await_events(CompletionQueue& queue, asio::posix::stream_descriptor& readable,
                           void (Session::*came)()) {
  readable.async_wait(
      asio::posix::stream_descriptor::wait_read,
      [self = shared_from_this(), &queue, &readable, came](const boost::system::error_code& error) {
        if (error || self->closed_) return;
        (self.get()->*came)();
        if (!self->closed_) self->await_events(queue, readable, came);
      });
}

}  // namespace terrace::server
