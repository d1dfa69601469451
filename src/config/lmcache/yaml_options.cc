#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "config/lmcache/options.h"
#include "config/yaml_documents.h"

namespace terrace::config::lmcache {
namespace {

constexpr size_t kOptionsMax = 4096;
constexpr size_t kTextBytesMax = 1 << 20;  // of one list: aliases make more of it than the file has
constexpr size_t kDepthMax = 8;

std::string joined(const YAML::Node& list) {
  std::string text;
  for (const YAML::Node& element : list) {
    text += (text.empty() ? "" : ",") + (element.IsScalar() ? element.Scalar() : "...");
    if (text.size() > kTextBytesMax) break;
  }
  return text;
}

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
    list.options.push_back({name, joined(node), origin});
  } else {
    list.options.push_back({name, node.IsScalar() ? node.Scalar() : "", origin});
  }
}

}  // namespace

OptionList read_yaml_options(std::string_view text, const std::string& file) {
  OptionList list;
  try {
    const std::string yaml(text);
    if (const auto second = second_document(yaml)) {
      list.problems.push_back(
          {fmt::format("{}:{}", file, second->line + 1), "", "", "", "a second document: only one is read"});
    }
    walk(YAML::Load(yaml), "", file, file, 0, list);
  } catch (const YAML::Exception& error) {
    const std::string place = error.mark.is_null() ? file : fmt::format("{}:{}", file, error.mark.line + 1);
    list.problems.push_back({place, "", "", "", "not YAML: " + error.msg});
  }
  return list;
}

}  // namespace terrace::config::lmcache
