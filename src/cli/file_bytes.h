// Files of the operator: what is put into a store and what is got from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <terrace/error.h>

namespace terrace::cli {

// An open file whose bytes become one block: a regular file of 1 byte to 256 MiB, as it was when it was
// opened.
class InputFile {
 public:
  static Outcome<InputFile> open(const std::string& path);
  // The same checks without opening it; for planning.
  static Outcome<uint64_t> size_of(const std::string& path);
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;
  ~InputFile();

  uint64_t bytes() const { return bytes_; }
  // Fills `to` (bytes() long). Fails when the file has another length by now.
  Outcome<void> read(std::span<std::byte> to) const;

 private:
  InputFile(std::string path, int fd, uint64_t bytes);

  std::string path_;
  int fd_;
  uint64_t bytes_;
};

// Writes a whole file, replacing what was there only when all bytes are written. "-" is standard output;
// devices and pipes are written in place.
Outcome<void> write_output(const std::string& path, std::span<const std::byte> bytes);

}  // namespace terrace::cli
