// What the sources come to: what a store is opened with, and what `terrace serve` needs besides.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <terrace/options.h>
#include <terrace/sessions.h>

namespace terrace::config {

struct ServerSettings {
  std::string socket;                // empty: the user's own place (wire/default_socket.h)
  std::vector<uint64_t> also_allow;  // users by number, besides the server's own
  Auth auth = Auth::kNone;
  // Of one session; 0: no limit of its own.
  uint64_t session_reserved_bytes = 0, session_leased_bytes = 0;
};

struct Configuration {
  StoreOptions options;  // validate() has allowed them
  ServerSettings server;
  std::map<std::string, std::string> origins;  // of each key that is not as it was by default
  std::vector<std::string> warnings;           // StoreOptions::warnings()
};

}  // namespace terrace::config
