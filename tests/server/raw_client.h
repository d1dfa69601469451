// A client that says what a test makes it say, message by message.
#pragma once

#include <sys/socket.h>

#include <string>

#include <gtest/gtest.h>

#include "wire/fields.h"
#include "wire/frame_socket.h"
#include "wire/socket_address.h"

namespace terrace::server_tests {

// A connection whose bytes a test writes itself.
inline io::Descriptor raw_connection(const std::string& path) {
  io::Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = wire::socket_address(path);
  EXPECT_EQ(::connect(socket.get(), wire::generic(*address), sizeof *address), 0);
  return socket;
}

class RawClient {
 public:
  using Builder = flatbuffers::FlatBufferBuilder;

  explicit RawClient(const std::string& path) : socket_(raw_connection(path)) {}

  wire::FrameSocket& socket() { return socket_; }
  // Null when the server has ended the session. Valid until the next call.
  template <class Make>
  const wire::Message* ask(wire::Body type, const Make& make) {
    say(type, make);
    return next();
  }
  template <class Make>
  void say(wire::Body type, const Make& make) {
    say_as(++last_, type, make);
  }
  template <class Make>
  void say_as(uint64_t id, wire::Body type, const Make& make, std::span<const int> descriptors = {}) {
    Builder builder;
    const auto body = make(builder);
    wire::finish(builder, id, type, body.Union());
    (void)socket_.send(builder, descriptors);
  }
  const wire::Message* next() {
    for (;;) {
      auto received = socket_.receive();
      if (!received) return nullptr;
      if (!*received) continue;
      last_received_ = std::move(**received);
      return last_received_.message;
    }
  }
  const wire::Message* hello(uint16_t major = wire::kMajor) {
    return ask(wire::Body::Hello,
               [&](Builder& builder) { return wire::CreateHelloDirect(builder, major, 0, "raw"); });
  }
  // Why the last message was refused; empty when it was not.
  static std::string refusal(const wire::Message* message) {
    const auto* const failed = message == nullptr ? nullptr : message->body_as_Failed();
    return failed == nullptr ? "" : failed->message()->str();
  }

 private:
  wire::FrameSocket socket_;
  wire::Received last_received_;
  uint64_t last_ = 0;
};

}  // namespace terrace::server_tests
