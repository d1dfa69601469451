#include "server/peer.h"

#include <fcntl.h>
#include <unistd.h>

#include "server/server.h"
#include "server/test_client.h"

namespace terrace::server_tests {

namespace {

void tell(const std::string& fifo) {
  const int fd = ::open(fifo.c_str(), O_WRONLY | O_CLOEXEC);
  (void)!::write(fd, "\n", 1);
  ::close(fd);
}

[[noreturn]] void live_on() {
  for (;;) ::pause();
}

}  // namespace

int serve(const std::string& socket, const std::string& fifo) {
  server::ServerOptions options;
  options.socket = socket;
  options.store.l1.budget = 16 << 20;
  TierOptions disk;
  disk.disk.paths = {socket + ".store"};
  disk.disk.capacity = 64 << 20;
  options.store.tiers = {disk};
  auto server = server::Server::open(options);
  if (!server) return 4;
  tell(fifo);
  (*server)->run();
  return 0;
}

int run_peer(const std::string& role, const std::string& socket, const std::string& fifo) {
  if (role == "serves") return serve(socket, fifo);
  TestClient client(socket);
  if (!client.connected()) return 1;
  if (role == "fills") {
    const auto given = client.reserve(1, 4);
    if (given.size() != 4) return 2;
    std::ranges::fill(given[0].bytes().first(kBlock / 2), byte_of(1));
    tell(fifo);
    live_on();
  }
  const auto got = client.get(1, 4);
  if (got.size() != 4) return 3;
  if (role == "prefetches") {
    tell(fifo);
    for (;;) (void)client->prefetch(keys_of(1, 4));
  }
  if (role == "asks_on") {
    tell(fifo);
    for (;;) (void)client.get(1, 4);
  }
  if (role == "hangs_up") ::close_range(3, ~0u, 0);  // what it maps stays
  tell(fifo);
  live_on();
}

std::vector<std::string> peer_words(const std::string& role, const std::string& socket,
                                    const std::string& fifo) {
  return {"/proc/self/exe", "--as", role, socket, fifo};
}

}  // namespace terrace::server_tests
