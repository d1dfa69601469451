// The store of a node's server, shared with other processes (terrace serve). It offers what the embedded
// store offers, behind the same handles, so that an adapter takes either:
//
//   auto store = terrace::connect({.socket = "/run/terrace/socket", .name = "engine rank 0"});
//
// Differences: bytes stand in memory that the server shares, mapped when they are first named. Memory to be
// transferred directly is registered by its descriptor (register_shared_region). While the server is away
// every lookup and get is a miss (kTierUnavailable), reserve answers kNoRoom, removals fail (kUnavailable);
// the client connects again by itself, in calls, after pauses that grow and differ between clients. Bytes
// that handles hold stay mapped until the last one goes. In a fork of the process the store is closed. No
// thread is started.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <terrace/store.h>

namespace terrace {

struct ClientOptions {
  std::string socket;  // path of the server's Unix socket
  std::string name{};  // for people who look at the server's sessions
  // Named to the server at every connection. One that binds sessions (`auth: namespaces`) lets this store see
  // and store what is of these and nothing else; others are opened with open_namespace as well.
  std::vector<Namespace> namespaces{};
  // What a call that waits for no IO waits for the server at most; added to the timeouts of those that do.
  Timeout patience = std::chrono::seconds(5);
};

// Errors name the socket and the reason: kNotFound (nobody listens), kPermission, kIncompatible (another
// version of the protocol), kInvalidArgument (a path too long), kDeadline.
Outcome<std::unique_ptr<Store>> connect(const ClientOptions& options);

}  // namespace terrace
