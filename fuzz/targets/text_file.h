// A file that a reader opens by its path, in memory: rewritten for each input.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace terrace::fuzz {

class TextFile {
 public:
  TextFile();
  ~TextFile();
  TextFile(const TextFile&) = delete;
  TextFile& operator=(const TextFile&) = delete;

  void write(std::span<const std::byte> bytes) const;
  const std::string& path() const { return path_; }

 private:
  int file_;
  std::string path_;
};

}  // namespace terrace::fuzz
