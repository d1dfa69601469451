#include "wire/default_socket.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>

namespace terrace::wire {

std::string default_socket() {
  const char* named = std::getenv("XDG_RUNTIME_DIR");
  const std::string_view runtime = named == nullptr ? "" : named;
  // Its specification has programs ignore a path that is not absolute.
  if (runtime.starts_with('/')) return std::filesystem::path(runtime) / "terrace" / "socket";
  if (::geteuid() == 0) return "/run/terrace/socket";
  std::error_code none;
  std::filesystem::path temporary = std::filesystem::temp_directory_path(none);
  if (none) temporary = "/tmp";
  return temporary / ("terrace-" + std::to_string(::geteuid())) / "socket";
}

}  // namespace terrace::wire
