#include "cli/output.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/bytes.h"

namespace terrace::cli {
namespace {

constexpr int kBarCells = 30;
constexpr base::Duration kDrawInterval = std::chrono::milliseconds(100);

// Code points, not bytes: names of namespaces may be any text.
size_t columns_of(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

void print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void complain(std::string_view text) {
  fmt::print(stderr, "terrace: {}\n", text);
}

void print_json(const Json& document) {
  print(document.dump(2, ' ', false, Json::error_handler_t::replace));
  print("\n");
}

void print_json_line(const Json& document) {
  constexpr int kNoIndent = -1;
  print(document.dump(kNoIndent, ' ', false, Json::error_handler_t::replace));
  print("\n");
}

bool flush_output() {
  return std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
}

std::string count_of(uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

Table::Table(std::vector<std::string> titles) {
  for (std::string& title : titles) {
    right_.push_back(title.starts_with('>'));
    if (right_.back()) title.erase(0, 1);
  }
  rows_.push_back(std::move(titles));
}

void Table::add(std::vector<std::string> cells) {
  cells.resize(right_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<size_t> widths(right_.size());
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns_of(row[i]));
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - columns_of(row[i]), ' ');
      if (i > 0) line += "  ";
      line += right_[i] ? space + row[i] : row[i] + space;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

Progress::Progress(std::string label, uint64_t total, const base::Clock& clock, TextOf text_of)
    : label_(std::move(label)),
      total_(total),
      clock_(clock),
      text_of_(text_of),
      visible_(isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (visible_) fmt::print(stderr, "\r\033[K");
}

void Progress::advance_to(uint64_t done) {
  done_ = std::min(done, total_);
  if (!visible_ || clock_.now() < next_draw_) return;
  next_draw_ = clock_.now() + kDrawInterval;
  draw();
}

void Progress::draw() const {
  const double share = total_ == 0 ? 1.0 : static_cast<double>(done_) / static_cast<double>(total_);
  const int full = static_cast<int>(share * kBarCells);
  fmt::print(stderr, "\r{} [{:#<{}}{:.<{}}] {:3.0f} % {} of {}\033[K", label_, "", full, "", kBarCells - full,
             share * 100, text_of_(done_), text_of_(total_));
  std::fflush(stderr);
}

}  // namespace terrace::cli
