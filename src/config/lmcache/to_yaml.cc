#include <fmt/format.h>

#include "config/lmcache/import.h"
#include "config/yaml_writer.h"

namespace terrace::config::lmcache {
namespace {

// One line, whatever the other configuration has in its values.
std::string one_line(std::string text) {
  constexpr size_t kColumns = 100;
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  if (text.size() > kColumns) text = text.substr(0, kColumns) + " ...";
  return text;
}

}  // namespace

std::string to_yaml(const Import& import, const std::string& title) {
  std::string text = fmt::format("# {}\n", one_line(title));
  if (!import.left.empty()) text += "#\n# Without an equivalent:\n";
  for (const Left& left : import.left) {
    text += fmt::format("#   {}\n#     {}\n",
                        one_line(fmt::format("{} {}", left.option.name, left.option.value)), left.reason);
  }
  text += "\n";
  std::vector<Line> lines;
  for (const Carried& carried : import.carried) {
    lines.push_back({&carried.setting, one_line(carried.from)});
  }
  return text + write_yaml(lines);
}

}  // namespace terrace::config::lmcache
