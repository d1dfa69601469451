// The test program as a client process of its own, to be killed: `server_test --as ROLE SOCKET FIFO`.
#pragma once

#include <string>
#include <vector>

namespace terrace::server_tests {

inline constexpr char kThere = '\n';
inline constexpr char kCannot = '-';

// Roles: "serves" is a server with a disk below the socket's directory, "serves_in_given_memory" one on a
// machine that has what the file SOCKET.meminfo says (root only); "fills" reserves and fills half, "leases"
// gets and holds, "hangs_up" gets, closes its socket and lives, "asks_on" gets for ever, "prefetches" does
// that for ever. Each writes kThere to the fifo when it is there, or kCannot, and lives until it is killed.
int run_peer(const std::string& role, const std::string& socket, const std::string& fifo);
// The words that start one.
std::vector<std::string> peer_words(const std::string& role, const std::string& socket,
                                    const std::string& fifo);

}  // namespace terrace::server_tests
