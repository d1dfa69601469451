#include "client/connection.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "client/refusal.h"
#include "wire/fields.h"

namespace terrace::client {

namespace {

constexpr Error kEnded{Code::kClosed, 0, "the connection to the server has ended"};
constexpr Error kLate{Code::kDeadline, 0, "the server did not answer in time"};

std::unexpected<Failure> refused(Code code, const std::string& path, const std::string& why) {
  return failure(code, "server " + path + ": " + why);
}

// An answer for one who waits.
class Waiting final : public Pending {
 public:
  bool answered(Result<Reply> reply) override {
    if (answered_.exchange(true)) return true;
    reply_ = std::move(reply);
    set_done();
    return true;
  }
  Result<Reply> take() { return std::move(*reply_); }

 private:
  std::atomic<bool> answered_{false};
  std::optional<Result<Reply>> reply_;
};

Connection::Make release_of(uint64_t hold) {
  return [hold](Connection::Builder& builder, wire::KeyListWriter&) {
    return wire::CreateRelease(builder, builder.CreateVector(&hold, 1)).Union();
  };
}

uint64_t next_number() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

}  // namespace

Reply::Reply(std::span<const std::byte> bytes)
    : bytes_((bytes.size() + sizeof(uint64_t) - 1) / sizeof(uint64_t)) {
  std::memcpy(bytes_.data(), bytes.data(), bytes.size());
}

Connection::Connection(wire::FrameSocket socket, OnTold on_told, const ClientParts& parts)
    : clock_(*parts.clock),
      wait_(parts.wait),
      process_(ProcessMark::here()),
      fd_(socket.fd()),
      on_told_(std::move(on_told)),
      number_(next_number()),
      socket_(std::move(socket)) {}

Connection::~Connection() = default;

Outcome<std::shared_ptr<Connection>> Connection::open(const Options& options, const ClientParts& parts,
                                                      base::TimePoint deadline) {
  auto socket = parts.connect(options.path);
  if (!socket) return std::unexpected(socket.error());
  std::shared_ptr<Connection> connection(
      new Connection(wire::FrameSocket(std::move(*socket)), options.on_told, parts));
  const auto welcome = connection->call(
      wire::Body::Hello,
      [&](Builder& builder, wire::KeyListWriter&) {
        std::vector<flatbuffers::Offset<wire::OpenNamespace>> namespaces;
        for (const Namespace& fields : options.namespaces)
          namespaces.push_back(wire::write_namespace(builder, fields));
        return wire::CreateHelloDirect(builder, wire::kMajor, wire::kMinor, options.client.c_str(),
                                       &namespaces)
            .Union();
      },
      deadline);
  if (!welcome) return refused(welcome.error().code, options.path, to_string(welcome.error()));
  const auto* const known = welcome->as<wire::Welcome>();
  if (known == nullptr || known->mode() > static_cast<uint8_t>(L1Mode::kOff))
    return refused(Code::kCorrupt, options.path, "it did not greet");
  connection->mode_ = static_cast<L1Mode>(known->mode());
  connection->l1_bytes_ = known->l1_bytes();
  connection->timeout_ = wire::timeout_of(std::max<uint64_t>(known->timeout_ms(), 1));
  return connection;
}

bool Connection::is_fork() const {
  return !process_.is_here();
}

bool Connection::closed() const {
  const base::Lock lock(mutex_);
  return ended_.has_value() || is_fork();
}

// --- asking

Result<void> Connection::send(uint64_t id, wire::Body type, const Make& make,
                              std::span<const int> descriptors) {
  if (ended_) return std::unexpected(*ended_);
  if (is_fork()) return std::unexpected(kEnded);
  builder_.Clear();
  const auto body = make(builder_, lists_);
  wire::finish(builder_, id, type, body);
  const auto sent = socket_.send(builder_, descriptors);
  // The lists of keys that both ends remember are other ones from now on.
  if (!sent && sent.error().code == Code::kLimitExceeded) lists_ = {};
  return sent;
}

Result<void> Connection::begin(wire::Body type, const Make& make, const std::shared_ptr<Pending>& pending,
                               std::span<const int> descriptors) {
  Result<void> sent;
  {
    const base::Lock lock(mutex_);
    if (finished_) return std::unexpected(kEnded);
    pending->request_ = ++last_request_;
    sent = send(pending->request_, type, make, descriptors);
    if (sent) pending_.emplace(pending->request_, pending);
  }
  if (!sent) look();  // the others learn that it has ended
  return sent;
}

Result<Reply> Connection::call(wire::Body type, const Make& make, base::TimePoint deadline,
                               std::span<const int> descriptors) {
  const auto waiting = std::make_shared<Waiting>();
  if (auto ok = begin(type, make, waiting, descriptors); !ok) return std::unexpected(ok.error());
  if (!wait(*waiting, deadline)) {
    abandon(*waiting);
    if (!waiting->done()) return std::unexpected(kLate);
  }
  return waiting->take();
}

Result<void> Connection::tell(wire::Body type, const Make& make) {
  Result<void> sent;
  {
    const base::Lock lock(mutex_);
    sent = send(0, type, make, {});
  }
  if (!sent) look();
  return sent;
}

void Connection::release(uint64_t hold) {
  (void)tell(wire::Body::Release, release_of(hold));
}

void Connection::finish() {
  std::vector<Arrived> arrived;
  {
    const base::Lock lock(mutex_);
    finished_ = true;
    std::vector<uint64_t> requests;
    for (auto& [request, pending] : pending_) {
      requests.push_back(request);
      arrived.push_back({pending, std::unexpected(kEnded)});
    }
    pending_.clear();
    if (!requests.empty()) {
      (void)send(0, wire::Body::Cancel,
                 [&](Builder& builder, wire::KeyListWriter&) {
                   return wire::CreateCancel(builder, builder.CreateVector(requests)).Union();
                 },
                 {});
    }
  }
  tell_all(arrived);
}

// --- reading

bool Connection::wait(const Pending& pending, base::TimePoint deadline) {
  std::vector<Arrived> arrived;
  mutex_.lock();
  while (!pending.done()) {
    if (reading_) {
      if (!changed_.wait_until(mutex_, deadline) && clock_.now() >= deadline) break;
      continue;
    }
    if (ended_ && arrived.empty()) break;  // it was told, or never was
    reading_ = true;
    read_frames(arrived);
    const bool late = arrived.empty() && !ended_ && !wait_for_socket(deadline);
    mutex_.unlock();
    tell_all(arrived);
    mutex_.lock();
    reading_ = false;
    changed_.notify_all();  // another one reads now
    if (late) break;
  }
  mutex_.unlock();
  return pending.done();
}

void Connection::look() {
  std::vector<Arrived> arrived;
  {
    const base::Lock lock(mutex_);
    if (reading_ || ended_) return;
    reading_ = true;
    read_frames(arrived);
  }
  tell_all(arrived);
  const base::Lock lock(mutex_);
  reading_ = false;
  changed_.notify_all();
}

void Connection::tell_all(std::vector<Arrived>& arrived) {
  for (Arrived& one : arrived) {
    if (one.pending == nullptr) {
      if (on_told_) on_told_(*one.reply);
      continue;
    }
    if (!one.pending->answered(std::move(one.reply))) continue;
    const base::Lock lock(mutex_);
    pending_.erase(one.pending->request_);
  }
  arrived.clear();
}

void Connection::read_frames(std::vector<Arrived>& arrived) {
  if (ended_) return;
  if (is_fork()) return end(kEnded, arrived);
  if (auto ok = socket_.flush(); !ok) return end(kEnded, arrived);
  for (;;) {
    auto received = socket_.receive();
    if (received && !*received) return;
    const auto taken = received ? take(**received, arrived) : std::unexpected(received.error());
    if (!taken) return end(taken.error().code == Code::kClosed ? kEnded : taken.error(), arrived);
  }
}

// Everybody who waits is told.
void Connection::end(const Error& error, std::vector<Arrived>& arrived) {
  ended_ = error;
  for (auto& [request, pending] : pending_) arrived.push_back({pending, std::unexpected(error)});
  pending_.clear();
  memories_.clear();  // whoever holds bytes keeps its own mapping
}

Result<void> Connection::take(wire::Received& received, std::vector<Arrived>& arrived) {
  if (auto ok = map(received); !ok) return ok;
  const wire::Message& message = *received.message;
  if (message.replaced() != nullptr) unmap(wire::values_of(message.replaced()));
  const auto* const failed = message.body_as_Failed();
  if (message.id() == 0) {
    if (failed != nullptr) return std::unexpected(error_of(*failed));  // it ends the connection
    const bool told = message.body_type() == wire::Body::Event || message.body_type() == wire::Body::Changes;
    if (told) arrived.push_back({nullptr, Reply(received.bytes)});
    return {};
  }
  const auto found = pending_.find(message.id());
  if (found == pending_.end()) {
    give_back(message);
  } else if (failed != nullptr) {
    arrived.push_back({found->second, std::unexpected(error_of(*failed))});
  } else {
    arrived.push_back({found->second, Reply(received.bytes)});
  }
  return {};
}

void Connection::abandon(const Pending& pending) {
  const base::Lock lock(mutex_);
  pending_.erase(pending.request_);
}

// An answer that nobody waits for any more.
void Connection::give_back(const wire::Message& answer) {
  uint64_t hold = 0;
  if (const auto* const found = answer.body_as_Found()) hold = found->pin();
  if (const auto* const delivered = answer.body_as_Delivered()) hold = delivered->lease();
  if (const auto* const prefetching = answer.body_as_Prefetching()) hold = prefetching->prefetch();
  if (hold != 0) (void)send(0, wire::Body::Release, release_of(hold), {});
  const auto* const reserved = answer.body_as_Reserved();
  if (reserved == nullptr || reserved->buffers() == nullptr) return;
  std::vector<uint64_t> numbers;
  for (const wire::Buffer* buffer : *reserved->buffers()) numbers.push_back(buffer->reservation());
  (void)send(0, wire::Body::Abort,
             [&](Builder& builder, wire::KeyListWriter&) {
               return wire::CreateAbort(builder, builder.CreateVector(numbers)).Union();
             },
             {});
}

// --- memory

// At once: the server gives the memory to nobody else before.
Result<void> Connection::map(wire::Received& received) {
  const auto* const memories = received.message->memories();
  const size_t count = memories == nullptr ? 0 : memories->size();
  if (count != received.descriptors.size()) return fail(Code::kCorrupt, "memory without its descriptor");
  for (size_t i = 0; i < count; ++i) {
    const wire::Memory& memory = *memories->Get(static_cast<flatbuffers::uoffset_t>(i));
    auto mapping = memory::Mapping::shared(received.descriptors[i].get(), memory.bytes(), memory.writable());
    if (!mapping) return std::unexpected(mapping.error());
    // A fork must not write what this process has reserved.
    ::madvise(mapping->bytes().data(), mapping->bytes().size(), MADV_DONTFORK);
    memories_.insert_or_assign(memory.id(), std::make_shared<const memory::Mapping>(std::move(*mapping)));
  }
  return {};
}

// Whoever still holds bytes there keeps its own mapping.
void Connection::unmap(std::span<const uint64_t> memories) {
  for (const uint64_t id : memories) memories_.erase(id);
  (void)send(
      0, wire::Body::Unmapped,
      [&](Builder& builder, wire::KeyListWriter&) {
        return wire::CreateUnmapped(builder, builder.CreateVector(memories.data(), memories.size())).Union();
      },
      {});
}

// Without the mutex, so that others can send meanwhile.
bool Connection::wait_for_socket(base::TimePoint deadline) TERRACE_THREAD(no_thread_safety_analysis) {
  constexpr base::Duration kLongest = std::chrono::minutes(1);
  const auto left = std::clamp<base::Duration>(deadline - clock_.now(), base::Duration(0), kLongest);
  const bool to_write = socket_.queued_bytes() > 0;
  mutex_.unlock();
  const bool found = wait_(fd_, to_write, std::chrono::ceil<std::chrono::milliseconds>(left));
  mutex_.lock();
  return found || clock_.now() < deadline;
}

Result<SharedBytes> Connection::bytes_at(const wire::Place& place) {
  const base::Lock lock(mutex_);
  if (ended_) return std::unexpected(kEnded);  // the answer came with the end
  const auto found = memories_.find(place.memory());
  if (found == memories_.end()) return fail(Code::kNotFound, "the server named memory it has not shared");
  const auto bytes = found->second->bytes();
  if (place.offset() > bytes.size() || place.bytes() > bytes.size() - place.offset())
    return fail(Code::kCorrupt, "the server named bytes outside of its memory");
  return SharedBytes{found->second, bytes.subspan(place.offset(), place.bytes())};
}

}  // namespace terrace::client
