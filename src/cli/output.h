// What the program prints: text and JSON on standard output, complaints and progress on standard error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/bytes.h"
#include "base/clock.h"

namespace terrace::cli {

using Json = nlohmann::ordered_json;

// Text to standard output, as it is.
void print(std::string_view text);
// "terrace: text" to standard error.
void complain(std::string_view text);
// One document, indented. Bytes that are not UTF-8 are replaced.
void print_json(const Json& document);
// One document on one line.
void print_json_line(const Json& document);
// False when what was printed could not be written (a full disk, a closed pipe).
bool flush_output();

// "1 block", "2 blocks".
std::string count_of(uint64_t count, std::string_view noun);

// Columns that line up. Columns whose title begins with '>' stand to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> titles);
  void add(std::vector<std::string> cells);
  std::string text() const;

 private:
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;  // the first holds the titles
};

// A bar on standard error, when that is a terminal: "put [#####.....]  52 % 1.2 GiB of 2.3 GiB". At most ten
// times a second. Gone when destroyed. What is counted is bytes, unless `text_of` says how else to write it.
class Progress {
 public:
  using TextOf = std::string (*)(uint64_t amount);
  Progress(std::string label, uint64_t total, const base::Clock& clock, TextOf text_of = base::format_size);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void advance(uint64_t amount) { advance_to(done_ + amount); }
  void advance_to(uint64_t done);

 private:
  void draw() const;

  const std::string label_;
  const uint64_t total_;
  const base::Clock& clock_;
  const TextOf text_of_;
  const bool visible_;
  uint64_t done_ = 0;
  base::TimePoint next_draw_{};
};

}  // namespace terrace::cli
