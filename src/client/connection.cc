#include "client/connection.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace terrace::client {

namespace {

constexpr Error kEnded{Code::kClosed, 0, "the connection to the server has ended"};
constexpr Error kLate{Code::kDeadline, 0, "the server did not answer in time"};

// Errors of the server come with a text of their own; here they get one that lives for ever.
Error error_of(const wire::Failed& failed) {
  const auto code = static_cast<Code>(failed.code());
  switch (code) {
    case Code::kInvalidArgument:
      return {code, 0, "the server refused an argument"};
    case Code::kLimitExceeded:
      return {code, 0, "the server refused what passes a limit"};
    case Code::kNotFound:
      return {code, 0, "the server does not know the object"};
    case Code::kClosed:
      return {code, 0, "the server's store is closed"};
    case Code::kNoArena:
      return {code, 0, "the server's store has no arena"};
    case Code::kDeadline:
      return {code, 0, "the server did not do it in time"};
    case Code::kPermission:
      return {code, 0, "the server does not allow it"};
    case Code::kIncompatible:
      return {code, 0, "the server speaks another version of the protocol"};
    case Code::kUnsupported:
      return {code, 0, "the server cannot do it"};
    case Code::kIo:
      return {code, 0, "a device of the server failed"};
    default:
      return {Code::kInternal, 0, "the server failed"};
  }
}

std::unexpected<Failure> refused(Code code, const std::string& path, const std::string& why) {
  return failure(code, "server " + path + ": " + why);
}

Outcome<io::Descriptor> connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return refused(Code::kInvalidArgument, path,
                   "a socket's path has 1 to " + std::to_string(sizeof address.sun_path - 1) + " bytes");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  io::Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) return refused(Code::kLimitExceeded, path, std::strerror(errno));
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const bool nobody = errno == ENOENT || errno == ECONNREFUSED;
    const bool forbidden = errno == EACCES || errno == EPERM;
    return refused(nobody      ? Code::kNotFound
                   : forbidden ? Code::kPermission
                               : Code::kIo,
                   path,
                   nobody ? "nobody listens there; start one with terrace serve" : std::strerror(errno));
  }
  return socket;
}

}  // namespace

Reply::Reply(std::span<const std::byte> bytes)
    : bytes_((bytes.size() + sizeof(uint64_t) - 1) / sizeof(uint64_t)) {
  std::memcpy(bytes_.data(), bytes.data(), bytes.size());
}

Connection::Connection(wire::FrameSocket socket, base::Clock& clock)
    : clock_(clock), process_(::getpid()), socket_(std::move(socket)) {}

Connection::~Connection() = default;

Outcome<std::shared_ptr<Connection>> Connection::open(const std::string& path, const std::string& client,
                                                      base::Clock& clock, base::TimePoint deadline) {
  auto socket = connect_to(path);
  if (!socket) return std::unexpected(socket.error());
  std::shared_ptr<Connection> connection(new Connection(wire::FrameSocket(std::move(*socket)), clock));
  const auto welcome = connection->call(
      wire::Body::Hello,
      [&](Builder& builder) {
        return wire::CreateHelloDirect(builder, wire::kMajor, wire::kMinor, client.c_str()).Union();
      },
      deadline);
  if (!welcome) return refused(welcome.error().code, path, to_string(welcome.error()));
  const auto* const known = welcome->as<wire::Welcome>();
  if (known == nullptr) return refused(Code::kCorrupt, path, "it did not greet");
  connection->session_ = known->session();
  connection->mode_ = known->mode();
  return connection;
}

bool Connection::is_fork() const {
  return ::getpid() != process_;
}

bool Connection::closed() const {
  const base::Lock lock(mutex_);
  return ended_.has_value() || is_fork();
}

Result<void> Connection::send(uint64_t id, wire::Body type, const Make& make) {
  if (ended_) return std::unexpected(*ended_);
  if (is_fork()) return std::unexpected(kEnded);
  Builder builder;
  const auto body = make(builder);
  builder.Finish(wire::CreateMessage(builder, id, type, body), wire::MessageIdentifier());
  const auto sent = socket_.send(builder);
  if (!sent && sent.error().code != Code::kLimitExceeded) ended_ = kEnded;
  return sent;
}

Result<Reply> Connection::call(wire::Body type, const Make& make, base::TimePoint deadline) {
  Waiting waiting;
  const base::Lock lock(mutex_);
  const uint64_t id = ++last_request_;
  if (auto ok = send(id, type, make); !ok) return std::unexpected(ok.error());
  waiting_.emplace(id, &waiting);
  Result<void> done;
  while (!waiting.reply && done) {
    if (ended_) {
      done = std::unexpected(*ended_);
    } else if (!reading_) {
      reading_ = true;
      done = read_for(waiting, deadline);
      reading_ = false;
      changed_.notify_all();  // another one reads now
    } else if (!changed_.wait_until(mutex_, deadline) && clock_.now() >= deadline) {
      done = std::unexpected(kLate);
    }
  }
  waiting_.erase(id);
  if (!waiting.reply) return std::unexpected(done.error());
  if (const auto* const failed = waiting.reply->as<wire::Failed>()) return std::unexpected(error_of(*failed));
  return std::move(*waiting.reply);
}

Result<void> Connection::tell(wire::Body type, const Make& make) {
  const base::Lock lock(mutex_);
  return send(0, type, make);
}

Result<void> Connection::read_for(const Waiting& waiting, base::TimePoint deadline) {
  for (;;) {
    if (auto ok = take_frames(); !ok) {
      ended_ = ok.error().code == Code::kClosed ? kEnded : ok.error();
      return std::unexpected(*ended_);
    }
    if (waiting.reply) return {};
    if (!wait_for_socket(deadline)) return std::unexpected(kLate);
  }
}

Result<void> Connection::take_frames() {
  if (auto ok = socket_.flush(); !ok) return ok;
  for (;;) {
    auto received = socket_.receive();
    if (!received) return std::unexpected(received.error());
    if (!*received) return {};
    if (auto ok = take(**received); !ok) return ok;
  }
}

Result<void> Connection::take(wire::Received& received) {
  if (auto ok = map(received); !ok) return ok;
  const wire::Message& message = *received.message;
  if (message.replaced() != nullptr) let_go(wire::values_of(message.replaced()));
  // An answer nobody waits for any more came too late; a refusal without a request ends the connection.
  if (message.id() == 0 && message.body_type() == wire::Body::Failed)
    return std::unexpected(error_of(*message.body_as_Failed()));
  if (const auto found = waiting_.find(message.id()); found != waiting_.end()) {
    found->second->reply.emplace(received.bytes);
    changed_.notify_all();
  }
  return {};
}

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
void Connection::let_go(std::span<const uint64_t> memories) {
  for (const uint64_t id : memories) memories_.erase(id);
  (void)send(0, wire::Body::Unmapped, [&](Builder& builder) {
    const auto list = builder.CreateVector(memories.data(), memories.size());
    return wire::CreateUnmapped(builder, list).Union();
  });
}

// Without the mutex, so that others can send meanwhile.
bool Connection::wait_for_socket(base::TimePoint deadline) TERRACE_THREAD(no_thread_safety_analysis) {
  const auto left = deadline == base::kForever ? std::chrono::milliseconds(-1)
                                               : std::chrono::ceil<std::chrono::milliseconds>(
                                                     std::max(deadline - clock_.now(), base::Duration(0)));
  constexpr auto kLongest = std::chrono::milliseconds(60'000);
  pollfd ready{socket_.fd(), static_cast<short>(POLLIN | (socket_.queued_bytes() > 0 ? POLLOUT : 0)), 0};
  mutex_.unlock();
  const int found = ::poll(&ready, 1, static_cast<int>(std::min(left, kLongest).count()));
  mutex_.lock();
  return found != 0 || clock_.now() < deadline;
}

Result<SharedBytes> Connection::bytes_at(const wire::Place& place) {
  const base::Lock lock(mutex_);
  const auto found = memories_.find(place.memory());
  if (found == memories_.end()) return fail(Code::kNotFound, "the server named memory it has not shared");
  const auto bytes = found->second->bytes();
  if (place.offset() > bytes.size() || place.bytes() > bytes.size() - place.offset())
    return fail(Code::kCorrupt, "the server named bytes outside of its memory");
  return SharedBytes{found->second, bytes.subspan(place.offset(), place.bytes())};
}

}  // namespace terrace::client
