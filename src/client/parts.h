// What a client runs on; injected, so that clients and their server run in the simulator.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include <terrace/error.h>

#include "base/clock.h"
#include "io/descriptor.h"

namespace terrace::client {

struct ClientParts {
  base::Clock* clock = nullptr;  // outlives every handle
  // A connected socket. Errors name the path.
  std::function<Outcome<io::Descriptor>(const std::string& path)> connect;
  // Until the socket can be read, or, with `to_write`, written. False when the time was over before.
  std::function<bool(int socket, bool to_write, std::chrono::milliseconds most)> wait;
  uint64_t seed = 0;  // of the pauses between two tries to connect: not the same in any two clients
};

// This machine's.
ClientParts system_parts();

}  // namespace terrace::client
