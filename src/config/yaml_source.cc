#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "config/schema.h"
#include "config/source.h"

namespace terrace::config {
namespace {

// Far beyond any schema; aliases of aliases end here.
constexpr size_t kSettingsMax = 4096;
constexpr size_t kDepthMax = 8;

class YamlReader {
 public:
  explicit YamlReader(std::string file) : file_(std::move(file)) {}

  Source read(const std::string& text) {
    try {
      const std::vector<YAML::Node> documents = YAML::LoadAll(text);
      if (documents.size() > 1) {
        report(documents[1], "", "a second document: a configuration is one");
      } else if (!documents.empty()) {
        walk(documents[0], "", place_of(documents[0]), 0);
      }
    } catch (const YAML::Exception& error) {
      source_.problems.push_back({place_of(error.mark), "", "", "", "not YAML: " + error.msg});
    }
    return std::move(source_);
  }

 private:
  std::string place_of(const YAML::Mark& mark) const {
    return mark.is_null() ? file_ : fmt::format("{}:{}", file_, mark.line + 1);
  }
  std::string place_of(const YAML::Node& node) const { return place_of(node.Mark()); }

  void report(const YAML::Node& node, const std::string& key, std::string message) {
    source_.problems.push_back({place_of(node), key, "", "", std::move(message)});
  }

  void walk(const YAML::Node& node, const std::string& path, const std::string& origin, size_t depth) {
    if (depth > kDepthMax || source_.settings.size() >= kSettingsMax) {
      if (source_.problems.empty()) report(node, path, "too much of it for a configuration");
    } else if (node.IsMap()) {
      walk_map(node, path, depth);
    } else if (node.IsSequence()) {
      walk_list(node, path, origin, depth);
    } else if (node.IsScalar() && !path.empty()) {
      leaf(path, {node.Scalar()}, false, origin);
    } else if (path.empty() && !node.IsNull()) {
      report(node, "", "not a configuration: keys with values, such as 'l1.budget: 8GiB'");
    } else if (find_key(path)) {
      source_.problems.push_back({origin, path, "", allowed(*find_key(path)->entry), "it has no value"});
    }
  }

  void walk_map(const YAML::Node& node, const std::string& path, size_t depth) {
    if (find_key(path)) return report(node, path, "takes a value, not a section");
    for (const auto& pair : node) {
      if (!pair.first.IsScalar()) {
        report(pair.first, path, "a key is a word");
        continue;
      }
      const std::string name = path.empty() ? pair.first.Scalar() : path + "." + pair.first.Scalar();
      if (find_key(name) || is_section(name)) {
        walk(pair.second, name, place_of(pair.first), depth + 1);
      } else {
        report(pair.first, name, "there is no such key" + did_you_mean(name));
      }
    }
  }

  void walk_list(const YAML::Node& node, const std::string& path, const std::string& origin, size_t depth) {
    if (path == "tiers") {
      for (size_t i = 0; i < node.size(); ++i) walk_tier(node[i], fmt::format("tiers[{}]", i), depth);
      return;
    }
    std::vector<std::string> texts;
    for (const YAML::Node& element : node) {
      if (!element.IsScalar()) return report(element, path, "not a list of texts");
      texts.push_back(element.Scalar());
    }
    leaf(path, std::move(texts), true, origin);
  }

  void walk_tier(const YAML::Node& node, const std::string& path, size_t depth) {
    if (!node.IsMap() || node.size() == 0) return report(node, path, "a tier is a section with keys");
    walk(node, path, place_of(node), depth + 1);
  }

  void leaf(const std::string& path, std::vector<std::string> texts, bool list, const std::string& origin) {
    if (find_key(path)) {
      source_.settings.push_back({path, std::move(texts), list, origin});
    } else {
      source_.problems.push_back({origin, path, texts.empty() ? "" : texts.front(), "",
                                  path == "tiers" ? "takes a list of tiers, each a section with keys"
                                                  : "takes a section with keys, not a value"});
    }
  }

  std::string file_;
  Source source_;
};

}  // namespace

Source read_yaml(std::string_view text, const std::string& file) {
  return YamlReader(file).read(std::string(text));
}

}  // namespace terrace::config
