#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "config/lmcache/options.h"

namespace terrace::config::lmcache {
namespace {

constexpr size_t kOptionsMax = 4096;
constexpr size_t kDepthMax = 8;

// Sections become dotted names, so that each of their keys is accounted for.
void walk(const YAML::Node& node, const std::string& name, const std::string& origin, const std::string& file,
          size_t depth, OptionList& list) {
  if (depth > kDepthMax || list.options.size() >= kOptionsMax) return;
  if (node.IsMap()) {
    for (const auto& pair : node) {
      if (!pair.first.IsScalar()) continue;
      const std::string key = name.empty() ? pair.first.Scalar() : name + "." + pair.first.Scalar();
      walk(pair.second, key, fmt::format("{}:{}", file, pair.first.Mark().line + 1), file, depth + 1, list);
    }
  } else if (name.empty()) {
    if (!node.IsNull()) list.problems.push_back({file, "", "", "", "not an LMCache configuration: no keys"});
  } else if (node.IsSequence()) {
    std::string joined;
    for (const YAML::Node& element : node) {
      joined += (joined.empty() ? "" : ",") + (element.IsScalar() ? element.Scalar() : "...");
    }
    list.options.push_back({name, joined, origin});
  } else {
    list.options.push_back({name, node.IsScalar() ? node.Scalar() : "", origin});
  }
}

}  // namespace

OptionList read_yaml_options(std::string_view text, const std::string& file) {
  OptionList list;
  try {
    walk(YAML::Load(std::string(text)), "", file, file, 0, list);
  } catch (const YAML::Exception& error) {
    const std::string place = error.mark.is_null() ? file : fmt::format("{}:{}", file, error.mark.line + 1);
    list.problems.push_back({place, "", "", "", "not YAML: " + error.msg});
  }
  return list;
}

}  // namespace terrace::config::lmcache
