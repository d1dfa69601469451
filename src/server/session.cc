#include "server/session.h"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>

#include "base/hooks.h"
#include "base/log.h"

namespace terrace::server {

namespace asio = boost::asio;

namespace {

constexpr uint64_t kQueuedBytesMax = 4u << 20;  // of answers the client does not take
constexpr size_t kRunningMax = 1024;            // retrieves of a session
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
      results_(host.io()),
      forwarded_(host.io()),
      changes_(host.io()) {}

Session::~Session() {
  let_go();
  stop_watching();
  running_.clear();
  // What it held goes before its memory becomes the store's.
  holds_.clear();
  for (const RegionId region : regions_) store_.retire_region(region);
  host_.gone(number_, has_ended(peer_));
}

// Nothing is read any more, and nothing will be committed.
void Session::let_go() {
  if (readiness_.is_open()) readiness_.release();  // the descriptor is the socket's
  reservations_.clear();
  reserved_bytes_ = 0;
}

void Session::start() {
  go_on_reading();
}

void Session::close() {
  if (std::exchange(closed_, true)) return;
  let_go();
  if (changes_.is_open()) changes_.release();
  subscription_ = nullptr;
  // Its leases stay: of a process that may read still.
  const bool leases_end = TERRACE_MUTANT("server.end_leases_with_socket");
  boost::unordered::erase_if(holds_, [leases_end](const auto& held) {
    return leases_end || !std::holds_alternative<Blocks>(held.second);
  });
  for (auto& [id, running] : running_) std::visit([](auto& operation) { operation.cancel(); }, running);
  if (has_ended(peer_)) borrowed_ = 0;  // nobody is there to touch what we still read
  end_if_nothing_is_borrowed();
}

// The descriptors are the queues'.
void Session::stop_watching() {
  if (results_.readable.is_open()) results_.readable.release();
  if (forwarded_.readable.is_open()) forwarded_.readable.release();
  if (changes_.is_open()) changes_.release();
}

// The end of the socket says that the client's own memory is its own again.
void Session::end_if_nothing_is_borrowed() {
  if (!closed_ || borrowed_ > 0 || std::exchange(left_, true)) return;
  stop_watching();
  running_.clear();
  socket_.end();
  host_.left(*this);
}

// --- reading

// A client that does not take its answers, or asks for more than it waits for, is not listened to meanwhile:
// what it can make the server keep is bounded.
bool Session::may_read() const {
  return !closed_ && !last_answer_ && socket_.queued_bytes() <= kQueuedBytesMax &&
         running_.size() < kRunningMax && apart_ < kApartMax;
}

void Session::go_on_reading() {
  if (reading_ || !may_read()) return;
  reading_ = true;
  // First what was received already: the socket need not say anything any more.
  asio::post(host_.io(), [self = shared_from_this()] {
    if (!self->closed_) self->read_frames();
  });
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
      handle(**received);
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
                          if (self->has_untold_changes_) self->tell_changes();
                          self->go_on_reading();
                        });
}

void Session::send(uint64_t id, wire::Body type, Offset body, const Introduced& introduced) {
  const auto memories = introduced.memories.empty() ? 0 : builder_.CreateVectorOfStructs(introduced.memories);
  wire::finish(builder_, id, type, body, memories);
  send_built(introduced.descriptors);
}

void Session::send_built(std::span<const int> descriptors) {
  const auto sent = closed_ ? Result<void>{} : socket_.send(builder_, descriptors);
  builder_.Clear();
  if (!sent) return asio::post(host_.io(), [self = shared_from_this()] { self->close(); });
  if (socket_.queued_bytes() > 0 && !closed_) await_room();
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
  send_built();
}

// --- the store's events

bool Session::watch(Events& events, void (Session::*came)()) {
  if (events.queue != nullptr) return true;
  auto made = store_.make_queue();
  boost::system::error_code error;
  if (made->fd() >= 0) events.readable.assign(made->fd(), error);
  if (made->fd() < 0 || error) return false;
  events.queue = std::move(made);
  await_events(events, came);
  return true;
}

// Also of a closed session, until nothing is borrowed any more.
void Session::await_events(Events& events, void (Session::*came)()) {
  events.readable.async_wait(
      asio::posix::stream_descriptor::wait_read,
      [self = shared_from_this(), &events, came](const boost::system::error_code& error) {
        if (error || self->left_) return;
        (self.get()->*came)();
        self->end_if_nothing_is_borrowed();
        if (!self->left_) return self->await_events(events, came);
      });
}

}  // namespace terrace::server
