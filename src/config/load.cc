#include "config/load.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <terrace/config.h>

#include "config/schema.h"

namespace terrace::config {
namespace {

class Merge {
 public:
  void add(Source source) {
    problems_.insert(problems_.end(), source.problems.begin(), source.problems.end());
    std::map<std::string, std::string> seen;  // key to origin, of this source
    for (const Setting& setting : source.settings) {
      const auto key = find_key(setting.key);
      if (!key) {
        refuse(setting, "there is no such key" + did_you_mean(setting.key));
        continue;
      }
      const auto [before, first] = seen.emplace(name_of(*key), setting.origin);
      if (!first) {
        refuse(setting, fmt::format("given twice, first at {}", before->second));
      } else if (room_for(setting, *key)) {
        apply(setting, *key);
      }
    }
  }

  Checked<Configuration> finish() {
    check_gaps();
    if (problems_.empty()) problems_ = check_together(merged_);
    if (!problems_.empty()) return std::unexpected(std::move(problems_));
    merged_.warnings = merged_.options.warnings();
    return std::move(merged_);
  }

 private:
  void refuse(const Setting& setting, std::string message, std::string what_is_allowed = "") {
    problems_.push_back({setting.origin, setting.key, fmt::format("{}", fmt::join(setting.texts, ",")),
                         std::move(what_is_allowed), std::move(message)});
  }

  bool room_for(const Setting& setting, const KeyRef& key) {
    if (!is_of_tier(*key.entry)) return true;
    if (key.tier >= kTierLimit) {
      refuse(setting, fmt::format("there are at most {} tiers, counted from 0", kTierLimit));
      return false;
    }
    tiers_.emplace(key.tier, setting);
    auto& tiers = merged_.options.tiers;
    if (tiers.size() <= key.tier) tiers.resize(key.tier + 1);
    return true;
  }

  void apply(const Setting& setting, const KeyRef& key) {
    const Entry& entry = *key.entry;
    if (setting.list && !is_list(entry.kind)) {
      return refuse(setting, "takes one value, not a list", allowed(entry));
    }
    const auto value = is_list(entry.kind) ? parse_list(entry.kind, setting.texts)
                                           : parse_value(entry.kind, setting.texts.front());
    const std::string range = allowed(entry);
    if (!value) {
      return refuse(setting, value.error().message + (range.empty() ? "" : "; allowed: " + range), range);
    }
    if (!allows(entry, *value)) {
      return refuse(setting, fmt::format("'{}' is not allowed: {}", fmt::join(setting.texts, ","), range),
                    range);
    }
    if (const auto right = entry.check ? entry.check(*value) : Outcome<void>(); !right) {
      return refuse(setting, right.error().message);
    }
    entry.set(merged_, key.tier, *value);
    merged_.origins[name_of(key)] = setting.origin;
  }

  // tiers[2] without a tiers[1] is a mistake, most likely in the number.
  void check_gaps() {
    size_t next = 0;
    for (const auto& [tier, setting] : tiers_) {
      if (tier != next) return refuse(setting, fmt::format("the next tier is tiers[{}]", next));
      ++next;
    }
  }

  Configuration merged_;
  std::map<size_t, Setting> tiers_;  // the first setting of each
  std::vector<Problem> problems_;
};

}  // namespace

Checked<Configuration> load(std::vector<Source> sources) {
  Merge merge;
  for (Source& source : sources) merge.add(std::move(source));
  return merge.finish();
}

std::vector<Source> read_sources(const Sources& sources) {
  std::vector<Source> read;
  if (!sources.file.empty()) {
    Source file;
    std::string text;
    if (read_text(sources.file, text, file.problems)) file = read_yaml(text, sources.file);
    read.push_back(std::move(file));
  }
  read.push_back(read_environment(sources.environment));
  read.push_back(read_flags(sources.sets));
  return read;
}

Checked<Configuration> load(const Sources& sources) {
  return load(read_sources(sources));
}

std::string to_string(const Problem& problem) {
  std::string text;
  for (const std::string* part : {&problem.origin, &problem.key}) {
    if (!part->empty()) text += *part + ": ";
  }
  return text + problem.message;
}

std::unexpected<Failure> failure_of(const std::vector<Problem>& problems) {
  std::vector<std::string> lines;
  for (const Problem& problem : problems) lines.push_back(to_string(problem));
  return failure(Code::kInvalidArgument, fmt::format("{}", fmt::join(lines, "\n")));
}

}  // namespace terrace::config

namespace terrace {

Outcome<StoreOptions> load_options(const std::string& file) {
  const auto loaded =
      config::load(config::Sources{.file = file, .environment = config::process_environment()});
  if (loaded) return loaded->options;
  return config::failure_of(loaded.error());
}

}  // namespace terrace
