#include "lab/rows/hostile_session.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <iterator>
#include <vector>

#include "io/descriptor.h"
#include "wire/frame_socket.h"
#include "wire/socket_address.h"

namespace terrace::lab {
namespace {

using Builder = flatbuffers::FlatBufferBuilder;
using Bytes = std::vector<std::byte>;

constexpr int kAnswerMs = 20;           // how long an answer is listened for
constexpr int kEndMs = 10'000;          // how long an end is waited for
constexpr size_t kGarbageMost = 60000;  // bytes
constexpr uint64_t kTwoGiB = 0x7FFF'FFF8;

wire::Key random_key(base::Random& random) {
  std::array<uint8_t, 32> bytes{};
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.next());
  return wire::Key(bytes);
}

template <class Make>
Bytes frame(uint64_t id, wire::Body type, const Make& make) {
  Builder builder;
  const auto body = make(builder);
  wire::finish(builder, id, type, body.Union());
  return wire::frame_of(builder);
}

Bytes hello() {
  return frame(1, wire::Body::Hello, [](Builder& builder) {
    return wire::CreateHelloDirect(builder, wire::kMajor, wire::kMinor, "hostile");
  });
}

auto random_keys(Builder& builder, base::Random& random) {
  std::vector<wire::Key> keys;
  for (uint64_t i = 0; i <= random.below(8); i++) keys.push_back(random_key(random));
  return wire::CreateKeys(builder, 0, 0, builder.CreateVectorOfStructs(keys));
}

// A request as a client makes it, about keys that nobody else has. Removals are none of them: a bit of their
// keys is all there is between this client's blocks and others'.
Bytes request(uint64_t id, base::Random& random) {
  const wire::Key root = random_key(random), parent = random_key(random);
  switch (random.below(9)) {
    case 0:
      return frame(id, wire::Body::Lookup, [&](Builder& builder) {
        return wire::CreateLookup(builder, random_keys(builder, random), true);
      });
    case 1:
      return frame(id, wire::Body::Get, [&](Builder& builder) {
        return wire::CreateGet(builder, random_keys(builder, random), 50);
      });
    case 2:
      return frame(id, wire::Body::Reserve, [&](Builder& builder) {
        std::vector<wire::Block> blocks;
        for (uint64_t i = 0; i <= random.below(4); i++)
          blocks.emplace_back(random_key(random), wire::Key(), 1 + random.below(20'000), 0, 0, 0);
        return wire::CreateReserve(builder, &root, &parent, builder.CreateVectorOfStructs(blocks),
                                   random.below(20));
      });
    case 3:
      return frame(id, wire::Body::Commit, [&](Builder& builder) {
        return wire::CreateCommit(builder,
                                  builder.CreateVector(std::vector<uint64_t>{1, 1 + random.below(4)}), 9);
      });
    case 4:
      return frame(id, wire::Body::Prefetch, [&](Builder& builder) {
        return wire::CreatePrefetch(builder, random_keys(builder, random), -1, -1, 5);
      });
    case 5:
      return frame(id, wire::Body::Release, [&](Builder& builder) {
        return wire::CreateRelease(builder, builder.CreateVector(std::vector<uint64_t>{1, 2, random.next()}));
      });
    case 6:
      return frame(id, wire::Body::Put, [&](Builder& builder) {
        const std::vector<wire::Block> blocks{wire::Block(random_key(random), wire::Key(), 100, 0, 0, 0)};
        const std::vector<wire::Slice> slices{wire::Slice(random.next(), random.next(), 100)};
        const auto block_list = builder.CreateVectorOfStructs(blocks);
        return wire::CreatePut(builder, &root, &parent, block_list, builder.CreateVectorOfStructs(slices), 7);
      });
    case 7:
      return frame(id, wire::Body::Cancel, [&](Builder& builder) {
        return wire::CreateCancel(builder,
                                  builder.CreateVector(std::vector<uint64_t>{id - 1, random.next()}));
      });
    default:
      return frame(id, wire::Body::AskStats, [](Builder& builder) { return wire::CreateAskStats(builder); });
  }
}

// Whether a damaged frame happens to be one that takes away what others have stored.
bool removes(std::span<const std::byte> frame) {
  if (frame.size() <= wire::kHeaderBytes) return false;
  // The verifier wants its message aligned.
  std::vector<uint64_t> aligned((frame.size() - wire::kHeaderBytes + 7) / 8);
  std::memcpy(aligned.data(), frame.data() + wire::kHeaderBytes, frame.size() - wire::kHeaderBytes);
  const auto message = wire::decode_message(std::as_bytes(std::span(aligned)));
  if (!message) return false;
  const wire::Body type = (*message)->body_type();
  return type == wire::Body::Remove || type == wire::Body::Clear;
}

class HostileSession {
 public:
  HostileSession(const std::string& path, base::Random& random, KeptMemory& kept, Findings& findings)
      : random_(random),
        kept_(kept),
        findings_(findings),
        socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const auto address = wire::socket_address(path);
    if (!address || ::connect(socket_.get(), wire::generic(*address), sizeof *address) != 0)
      findings_.fail("a raw client cannot connect");
  }

  void run() {
    switch (random_.below(10)) {
      case 0:
        return garbage();
      case 1:
        return huge_length();
      case 2:
        return truncated();
      case 3:
        return descriptors();
      case 4:
        return deaf();
      case 5:
      case 6:
        return keep_memory();
      default:
        return flipped();
    }
  }

 private:
  // False: the server has ended the session, or takes no more for now.
  bool say(std::span<const std::byte> bytes, std::span<const int> fds = {}) {
    iovec piece{const_cast<std::byte*>(bytes.data()), bytes.size()};
    msghdr header{};
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(128 * sizeof(int))> control{};
    if (!fds.empty()) {
      header.msg_control = control.data();
      header.msg_controllen = CMSG_SPACE(fds.size_bytes());
      cmsghdr* const rights = CMSG_FIRSTHDR(&header);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(fds.size_bytes());
      std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
    }
    return ::sendmsg(socket_.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT) ==
           static_cast<ssize_t>(bytes.size());
  }
  // What comes within a moment is read and thrown away. False: the server has ended the session.
  bool listen(int answer_ms = kAnswerMs) {
    pollfd readable{socket_.get(), POLLIN, 0};
    while (::poll(&readable, 1, answer_ms) > 0) {
      std::array<std::byte, 16384> bytes;
      if (::recv(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT) <= 0) return false;
    }
    return true;
  }
  void must_end(const char* what) {
    if (listen(kEndMs)) findings_.fail(std::string(what) + ": the server goes on with the session");
  }

  void garbage() {
    findings_.count("garbage");
    if (random_.one_in(2)) say(hello());
    Bytes bytes(1 + random_.below(kGarbageMost));
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random_.next());
    // At times behind a header that is right, so that the verifier sees it.
    if (random_.one_in(2) && bytes.size() > wire::kHeaderBytes) {
      bytes.resize(wire::kHeaderBytes + bytes.size() / 8 * 8);
      const auto header = wire::encode({static_cast<uint32_t>(bytes.size() - wire::kHeaderBytes), 0});
      std::ranges::copy(header, bytes.begin());
    }
    say(bytes);
    if (bytes.size() >= wire::kHeaderBytes) must_end("garbage");
  }

  void huge_length() {
    findings_.count("huge_lengths");
    if (random_.one_in(2)) say(hello());
    const std::array<uint64_t, 4> lengths{kTwoGiB, 0xFFFF'FFF8, wire::kMessageBytesMax + 8, 13};
    const auto header = wire::encode({static_cast<uint32_t>(lengths[random_.below(lengths.size())]), 0});
    say(header);
    must_end("a length beyond the bound");
  }

  // The end comes in the middle of a frame.
  void truncated() {
    findings_.count("cut_frames");
    say(hello());
    const Bytes whole = request(2, random_);
    say(std::span(whole).first(1 + random_.below(whole.size() - 1)));
    if (random_.one_in(2)) ::shutdown(socket_.get(), SHUT_WR);
    listen();
  }

  // More than a frame names, more than it may have, or none where it names some.
  void descriptors() {
    findings_.count("descriptors");
    say(hello());
    const io::Descriptor memory(::memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    const std::vector<int> fds(1 + random_.below(100), memory.get());
    Bytes bytes = frame(2, wire::Body::RegisterRegion,
                        [](Builder& builder) { return wire::CreateRegisterRegion(builder, 0, 4096); });
    const auto named = static_cast<uint16_t>(random_.below(3) == 0 ? fds.size() : random_.below(200));
    const auto header = wire::encode({static_cast<uint32_t>(bytes.size() - wire::kHeaderBytes), named});
    std::ranges::copy(header, bytes.begin());
    say(bytes, fds);
    listen();
  }

  // Asks and asks, and takes no answer: it is not listened to any more.
  void deaf() {
    findings_.count("deaf");
    say(hello());
    const std::vector<wire::Key> keys(4096, random_key(random_));
    const Bytes much = frame(2, wire::Body::Lookup, [&](Builder& builder) {
      return wire::CreateLookup(builder,
                                wire::CreateKeys(builder, 0, 0, builder.CreateVectorOfStructs(keys)));
    });
    for (int i = 0; i < 200 && say(much); i++) {
    }
  }

  // Buffers are reserved and never committed; the connection ends, their memory stays mapped.
  void keep_memory() {
    findings_.count("kept_memory");
    say(hello());
    say(frame(2, wire::Body::Reserve, [&](Builder& builder) {
      std::vector<wire::Block> blocks;
      for (int i = 0; i < 4; i++)
        blocks.emplace_back(random_key(random_), wire::Key(), 1 + random_.below(60'000), 0, 0, 0);
      const wire::Key root = random_key(random_), parent;
      return wire::CreateReserve(builder, &root, &parent, builder.CreateVectorOfStructs(blocks));
    }));
    wire::FrameSocket frames(io::Descriptor(::fcntl(socket_.get(), F_DUPFD_CLOEXEC, 0)));
    for (;;) {
      auto received = frames.receive();
      pollfd readable{socket_.get(), POLLIN, 0};
      if (!received || (!*received && ::poll(&readable, 1, kEndMs) <= 0))
        return findings_.fail("a hostile session was given no memory");
      if (*received && (*received)->message->id() == 2) return keep(**received);
    }
  }
  void keep(const wire::Received& received) {
    for (size_t i = 0; i < received.descriptors.size(); i++) {
      const wire::Memory& memory = *received.message->memories()->Get(static_cast<uint32_t>(i));
      auto mapping = memory::Mapping::shared(received.descriptors[i].get(), memory.bytes(), true);
      if (mapping) kept_.keep(std::move(*mapping));
    }
  }

  void flipped() {
    findings_.count("flipped");
    Bytes greeting = hello();
    if (random_.one_in(4)) flip(greeting);
    if (!say(greeting)) return;
    for (uint64_t id = 2; id < 34; id++) {
      Bytes bytes = request(id, random_);
      if (random_.one_in(3)) flip(bytes);
      findings_.count("hostile_requests");
      if (!say(bytes)) return;
      if (random_.one_in(4) && !listen()) return;
    }
    listen();
  }
  void flip(Bytes& bytes) {
    const Bytes whole = bytes;
    do {
      bytes = whole;
      for (uint64_t i = 0; i <= random_.below(4); i++)
        bytes[random_.below(bytes.size())] ^= static_cast<std::byte>(1 << random_.below(8));
    } while (removes(bytes));
  }

  base::Random& random_;
  KeptMemory& kept_;
  Findings& findings_;
  const io::Descriptor socket_;
};

}  // namespace

void KeptMemory::scribble() {
  for (const memory::Mapping& mapping : mappings_) std::ranges::fill(mapping.bytes(), std::byte{0xBD});
}

void run_hostile_session(const std::string& socket, base::Random& random, KeptMemory& kept,
                         Findings& findings) {
  HostileSession(socket, random, kept, findings).run();
}

}  // namespace terrace::lab
