// The test program as a client process of its own, to be killed: `server_test --as ROLE SOCKET FIFO`.
#pragma once

#include <string>
#include <vector>

namespace terrace::server_tests {

// Roles: "serves" is a server with a disk below the socket's directory; "fills" reserves and fills half,
// "leases" gets and holds, "hangs_up" gets, closes its socket and lives, "asks_on" gets for ever,
// "prefetches" does that for ever. Each writes a line to the fifo when it is there, and lives until it is
// killed.
int run_peer(const std::string& role, const std::string& socket, const std::string& fifo);
// The words that start one.
std::vector<std::string> peer_words(const std::string& role, const std::string& socket,
                                    const std::string& fifo);

}  // namespace terrace::server_tests
