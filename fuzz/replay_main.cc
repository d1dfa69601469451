// terrace-fuzz without libFuzzer: replays files, with any compiler.
//
// Only calls that MemorySanitizer knows: it does not see into libstdc++'s streams and file systems.
#include <dirent.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include "fuzz/kit/program.h"

namespace terrace::fuzz {
namespace {

// The files of a folder; the path itself when it is none.
void add_files(const std::string& path, std::vector<std::string>& files) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), &::closedir);
  if (folder == nullptr) {
    files.push_back(path);
    return;
  }
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string name = static_cast<const char*>(entry->d_name);
    if (!name.starts_with('.')) files.push_back(path + "/" + name);
  }
}

std::vector<std::string> files_of(std::span<char* const> arguments) {
  std::vector<std::string> files;
  for (const char* argument : arguments.subspan(1)) {
    if (*argument != '-') add_files(argument, files);
  }
  std::ranges::sort(files);
  return files;
}

// In memory of exactly its length, so that reading beyond it shows.
std::optional<Bytes> read(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (file == nullptr) return std::nullopt;
  Bytes bytes, chunk(1 << 16);
  while (const size_t done = std::fread(chunk.data(), 1, chunk.size(), file.get())) {
    bytes.insert(bytes.end(), chunk.begin(), chunk.begin() + static_cast<ptrdiff_t>(done));
  }
  bytes.shrink_to_fit();
  return bytes;
}

int main(std::span<char* const> arguments) {
  const Target& target = start_program(arguments, false);
  const auto paths = files_of(arguments);
  for (const std::string& path : paths) {
    const auto bytes = read(path);
    if (!bytes) {
      fmt::print(stderr, "terrace-fuzz: cannot read {}\n", path);
      return 2;
    }
    target.run(*bytes);
  }
  fmt::print("{}: {} inputs\n", target.name, paths.size());
  return paths.empty() ? 1 : 0;
}

}  // namespace
}  // namespace terrace::fuzz

int main(int argc, char** argv) {
  return terrace::fuzz::main({argv, static_cast<size_t>(argc)});
}
