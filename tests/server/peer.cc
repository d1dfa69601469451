#include "server/peer.h"

#include <fcntl.h>
#include <unistd.h>

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

int run_peer(const std::string& role, const std::string& socket, const std::string& fifo) {
  TestClient client(socket);
  if (!client.connected()) return 1;
  if (role == "fills") {
    const auto filling = client.reserve(1, 4);
    if (filling.size() != 4) return 2;
    std::ranges::fill(filling[0].bytes.bytes.first(kBlock / 2), byte_of(1));
    tell(fifo);
    live_on();
  }
  const auto got = client.get(1, 4);
  if (got.blocks.size() != 4) return 3;
  if (role == "asks_on") {
    tell(fifo);
    for (;;) client.release(client.get(1, 4).lease);
  }
  if (role == "hangs_up") client.disconnect();
  tell(fifo);
  live_on();
}

std::vector<std::string> peer_words(const std::string& role, const std::string& socket,
                                    const std::string& fifo) {
  return {"/proc/self/exe", "--as", role, socket, fifo};
}

}  // namespace terrace::server_tests
