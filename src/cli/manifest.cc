#include "cli/manifest.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include <fmt/format.h>

namespace terrace::cli {
namespace {

constexpr std::string_view kSpace = " \t\r";

std::string_view trimmed(std::string_view line) {
  const size_t first = line.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return line.substr(first, line.find_last_not_of(kSpace) - first + 1);
}

Outcome<ManifestLine> parse_line(std::string_view line, const Key& root) {
  const size_t space = line.find_first_of(kSpace);
  if (space == std::string_view::npos) {
    return failure(Code::kInvalidArgument, fmt::format("'{}' is not `HEX64 PATH`", line));
  }
  const auto name = parse_block_name(root, line.substr(0, space));
  if (!name) return std::unexpected(name.error());
  return ManifestLine{*name, std::string(trimmed(line.substr(space)))};
}

}  // namespace

Outcome<std::vector<ManifestLine>> parse_manifest(std::string_view text, std::string_view source,
                                                  const Key& root) {
  std::vector<ManifestLine> lines;
  size_t number = 0;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = trimmed(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    ++number;
    if (line.empty() || line.front() == '#') continue;
    auto parsed = parse_line(line, root);
    if (!parsed) {
      return failure(parsed.error().error.code,
                     fmt::format("{}:{}: {}", source, number, parsed.error().message));
    }
    lines.push_back(*std::move(parsed));
  }
  if (lines.empty()) {
    return failure(Code::kInvalidArgument, fmt::format("{}: no line `HEX64 PATH` in it", source));
  }
  return lines;
}

Outcome<std::string> read_manifest(const std::string& path) {
  const auto close = [](std::FILE* file) {
    if (file != stdin) std::fclose(file);
  };
  std::unique_ptr<std::FILE, decltype(close)> file(path == "-" ? stdin : std::fopen(path.c_str(), "re"),
                                                   close);
  const auto failed = [&](int error) {
    const Code code = error == EACCES   ? Code::kPermission
                      : error == ENOENT ? Code::kNotFound
                                        : Code::kInvalidArgument;
    return failure(code, fmt::format("{}: cannot read the manifest: {}", path, std::strerror(error)), error);
  };
  if (file == nullptr) return failed(errno);
  std::string text;
  std::vector<char> chunk(1 << 16);
  while (const size_t done = std::fread(chunk.data(), 1, chunk.size(), file.get()))
    text.append(chunk.data(), done);
  if (std::ferror(file.get()) != 0) return failed(errno);
  return text;
}

}  // namespace terrace::cli
