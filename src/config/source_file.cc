#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

#include "config/source.h"

namespace terrace::config {
namespace {

constexpr size_t kFileBytesMax = 1 << 20;

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

}  // namespace

bool read_text(const std::string& file, std::string& text, std::vector<Problem>& problems) {
  const std::unique_ptr<std::FILE, Close> stream(file == "-" ? stdin : std::fopen(file.c_str(), "rb"));
  text.resize(kFileBytesMax + 1);
  const size_t bytes = stream ? std::fread(text.data(), 1, text.size(), stream.get()) : 0;
  if (!stream || std::ferror(stream.get()) != 0) {
    const int error = errno;
    problems.push_back({file, "", "", "", std::system_category().message(error)});
    return false;
  }
  if (bytes > kFileBytesMax) {
    problems.push_back({file, "", "", "", "more than a mebibyte: not a configuration"});
    return false;
  }
  text.resize(bytes);
  return true;
}

}  // namespace terrace::config
