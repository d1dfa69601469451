#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "config/schema.h"
#include "config/source.h"
#include "config/yaml_documents.h"

namespace terrace::config {
namespace {

// Far beyond any schema and any file that is read; aliases of what is large, and of aliases, end here.
constexpr size_t kNodesMax = 8192;
constexpr size_t kTextBytesMax = 1 << 20;
constexpr size_t kDepthMax = 8;

class YamlReader {
 public:
  explicit YamlReader(std::string file) : file_(std::move(file)) {}

  Source read(const std::string& text) {
    try {
      if (const auto second = second_document(text)) {
        source_.problems.push_back(
            {place_of(*second), "", "", "", "a second document: a configuration is one"});
      } else {
        const YAML::Node document = YAML::Load(text);
        walk(document, "", place_of(document), 0);
        if (too_much()) report(document, "", "too much of it for a configuration");
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

  bool too_much() const { return nodes_ > kNodesMax || text_bytes_ > kTextBytesMax; }

  std::string text_of(const YAML::Node& node) {
    text_bytes_ += node.Scalar().size();
    return node.Scalar();
  }

  void walk(const YAML::Node& node, const std::string& path, const std::string& origin, size_t depth) {
    if (depth > kDepthMax) {
      report(node, path, "sections in sections in sections: no key is so deep");
    } else if (node.IsMap()) {
      walk_map(node, path, depth);
    } else if (node.IsSequence()) {
      walk_list(node, path, origin, depth);
    } else if (node.IsScalar() && !path.empty()) {
      leaf(path, {text_of(node)}, false, origin);
    } else if (path.empty() && !node.IsNull()) {
      report(node, "", "not a configuration: keys with values, such as 'l1.budget: 8GiB'");
    } else if (find_key(path)) {
      source_.problems.push_back({origin, path, "", allowed(*find_key(path)->entry), "it has no value"});
    }
  }

  void walk_map(const YAML::Node& node, const std::string& path, size_t depth) {
    if (find_key(path)) return report(node, path, "takes a value, not a section");
    for (const auto& pair : node) {
      ++nodes_;
      if (too_much()) return;
      if (!pair.first.IsScalar()) {
        report(pair.first, path, "a key is a word");
        continue;
      }
      const std::string name = path.empty() ? text_of(pair.first) : path + "." + text_of(pair.first);
      if (find_key(name) || is_section(name)) {
        walk(pair.second, name, place_of(pair.first), depth + 1);
      } else {
        report(pair.first, name, "there is no such key" + did_you_mean(name));
      }
    }
  }

  void walk_list(const YAML::Node& node, const std::string& path, const std::string& origin, size_t depth) {
    if (path == "tiers") {
      for (size_t i = 0; i < node.size() && !too_much(); ++i) {
        ++nodes_;
        walk_tier(node[i], fmt::format("tiers[{}]", i), depth);
      }
      return;
    }
    std::vector<std::string> texts;
    for (const YAML::Node& element : node) {
      ++nodes_;
      if (too_much()) return;
      if (!element.IsScalar()) return report(element, path, "not a list of texts");
      texts.push_back(text_of(element));
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
  size_t nodes_ = 0, text_bytes_ = 0;  // visited, taken
};

}  // namespace

Source read_yaml(std::string_view text, const std::string& file) {
  return YamlReader(file).read(std::string(text));
}

}  // namespace terrace::config
