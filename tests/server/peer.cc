#include "server/peer.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "server/server.h"
#include "server/test_client.h"

namespace terrace::server_tests {

namespace {

void tell(const std::string& fifo, char what = kThere) {
  const int fd = ::open(fifo.c_str(), O_WRONLY | O_CLOEXEC);
  (void)!::write(fd, &what, 1);
  ::close(fd);
}

[[noreturn]] void live_on() {
  for (;;) ::pause();
}

// What the machine has is from now on, for this process, what the file says.
bool sees_memory_of(const std::string& meminfo) {
  return ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount(meminfo.c_str(), "/proc/meminfo", nullptr, MS_BIND, nullptr) == 0;
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
  if (role == "serves_in_given_memory" && !sees_memory_of(socket + ".meminfo")) {
    tell(fifo, kCannot);
    return 5;
  }
  if (role.starts_with("serves")) return serve(socket, fifo);
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
