#include "config/yaml_writer.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/assert.h"
#include "config/schema.h"

namespace terrace::config {
namespace {

constexpr std::string_view kTier = "tiers[";

std::vector<std::string> segments_of(std::string_view key) {
  std::vector<std::string> segments;
  while (true) {
    const size_t dot = key.find('.');
    segments.emplace_back(key.substr(0, dot));
    if (dot == std::string_view::npos) return segments;
    key.remove_prefix(dot + 1);
  }
}

// Entries of tiers stand together in the schema, so that ordering by tier first keeps them together too.
std::tuple<bool, bool, size_t, ptrdiff_t> order_of(const Setting& setting) {
  const auto key = find_key(setting.key);
  TERRACE_ASSERT(key);
  const auto first_of_tier = std::find_if(schema().begin(), schema().end(), is_of_tier);
  const ptrdiff_t index = key->entry - schema().data();
  const bool of_tier = is_of_tier(*key->entry);
  const bool behind = !of_tier && index > first_of_tier - schema().begin();
  return {behind, of_tier, key->tier, index};
}

std::string value_of(const Setting& setting) {
  if (!setting.list) return quoted(setting.texts.front());
  std::vector<std::string> elements;
  for (const std::string& text : setting.texts) elements.push_back(quoted(text));
  return fmt::format("[{}]", fmt::join(elements, ", "));
}

class Writer {
 public:
  void add(const Line& line) {
    const std::vector<std::string> segments = segments_of(line.setting->key);
    in_tier_ = segments.front().starts_with(kTier);
    size_t same = 0;
    while (same < open_.size() && same + 1 < segments.size() && open_[same] == segments[same]) ++same;
    for (size_t i = same; i + 1 < segments.size(); ++i) open_section(segments[i], i);
    open_.assign(segments.begin(), segments.end() - 1);
    std::string text = fmt::format("{}: {}", segments.back(), value_of(*line.setting));
    if (!line.comment.empty()) text += "  # " + line.comment;
    print(segments.size() - 1, text);
  }
  std::string text() && { return std::move(text_); }

 private:
  void open_section(const std::string& segment, size_t depth) {
    if (!segment.starts_with(kTier)) return print(depth, segment + ":");
    if (!has_tiers_) print(depth, "tiers:");
    has_tiers_ = dash_ = true;
  }

  // Elements of `tiers` stand one step deeper, the first line of each behind a dash.
  void print(size_t depth, const std::string& text) {
    std::string indent(2 * (depth + (in_tier_ && depth > 0 ? 1 : 0)), ' ');
    if (dash_) indent.replace(indent.size() - 2, 2, "- ");
    dash_ = false;
    text_ += indent + text + "\n";
  }

  std::string text_;
  std::vector<std::string> open_;
  bool in_tier_ = false, has_tiers_ = false, dash_ = false;
};

}  // namespace

std::string quoted(const std::string& text) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";
  const bool plain = !text.empty() && !text.starts_with('-') && text != "null" && text != "Null" &&
                     text != "NULL" && text.find_first_not_of(kPlain) == std::string::npos;
  if (plain) return text;
  std::string made = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      made += '\\';
      made += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      made += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      made += c;
    }
  }
  return made + '"';
}

std::string write_yaml(std::span<const Line> lines) {
  std::vector<Line> sorted(lines.begin(), lines.end());
  std::sort(sorted.begin(), sorted.end(),
            [](const Line& a, const Line& b) { return order_of(*a.setting) < order_of(*b.setting); });
  Writer writer;
  for (const Line& line : sorted) writer.add(line);
  return std::move(writer).text();
}

}  // namespace terrace::config
