// The address of a Unix socket.
#pragma once

#include <cstddef>
#include <cstring>
#include <optional>
#include <string>

#include <sys/socket.h>
#include <sys/un.h>

namespace terrace::wire {

inline constexpr size_t kSocketPathMax = sizeof(sockaddr_un::sun_path) - 1;

// Nothing for a path that is empty or longer than kSocketPathMax bytes.
inline std::optional<sockaddr_un> socket_address(const std::string& path) {
  if (path.empty() || path.size() > kSocketPathMax) return std::nullopt;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

inline const sockaddr* generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

}  // namespace terrace::wire
