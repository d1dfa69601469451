// A bare Unix-socket echo: as many bytes as a request has, answered by as many as its answer has, and nothing
// done in between. The other side of the server's round trips.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace terrace::bench {

struct EchoSizes {
  size_t request = 0, answer = 0;
};

// Answers every connection until it is killed.
void serve_echo(const std::string& path, EchoSizes sizes);

class EchoClient {
 public:
  EchoClient(const std::string& path, EchoSizes sizes);
  ~EchoClient();
  EchoClient(EchoClient&& other) noexcept;
  EchoClient& operator=(EchoClient&&) = delete;
  void ask();

 private:
  EchoSizes sizes_;
  int socket_;
  std::vector<char> bytes_;
};

}  // namespace terrace::bench
