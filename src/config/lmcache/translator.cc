#include "config/lmcache/translator.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include <fmt/format.h>

#include "base/bytes.h"
#include "config/value.h"

namespace terrace::config::lmcache {
namespace {

// Of LMCache.
constexpr const char* kBudgetGigabytes = "5.0";
constexpr double kTrigger = 0.8, kRatio = 0.2;
constexpr double kLeastWatermark = 0.01;

std::string lower(std::string_view text) {
  std::string made(text);
  std::transform(made.begin(), made.end(), made.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return made;
}

// Python's and YAML's ways to say that there is none.
bool says_none(std::string_view value) {
  const std::string text = lower(value);
  return text.empty() || text == "none" || text == "null" || text == "~" || text == "false";
}

std::string from(const Option& option) {
  const bool is_flag = option.name.starts_with("--");
  return fmt::format("{}{}{}", option.name, is_flag ? " " : ": ", without_credentials(option));
}

std::string size_text(uint64_t bytes) {
  return text_of(Kind::kSize, Value(bytes));
}

Carried carried(const std::string& key, std::vector<std::string> texts, bool list, const Option& option) {
  return {{key, std::move(texts), list, option.origin}, from(option)};
}

std::vector<std::string> split_paths(std::string_view text) {
  constexpr std::string_view kScheme = "file://";
  std::vector<std::string> paths;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    std::string_view path = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    while (path.starts_with(' ')) path.remove_prefix(1);
    while (path.ends_with(' ')) path.remove_suffix(1);
    if (path.starts_with(kScheme)) path.remove_prefix(kScheme.size());
    if (!path.empty()) paths.emplace_back(path);
  }
  return paths;
}

}  // namespace

void Translator::carry(const std::string& key, const std::string& text, const Option& option) {
  const auto before = std::find_if(import_.carried.begin(), import_.carried.end(),
                                   [&](const Carried& known) { return known.setting.key == key; });
  Carried now = carried(key, {text}, false, option);
  if (before == import_.carried.end()) {
    import_.carried.push_back(std::move(now));
  } else if (before->setting.texts.front() != "staging") {  // either of two options can ask for staging
    *before = std::move(now);                               // the last one counts
  }
}

void Translator::leave(const Option& option, std::string reason) {
  Option hidden = option;
  hidden.value = without_credentials(option);
  import_.left.push_back({std::move(hidden), std::move(reason)});
}

void Translator::problems(const std::vector<Problem>& problems) {
  import_.problems.insert(import_.problems.end(), problems.begin(), problems.end());
}

void Translator::refuse(const Option& option, std::string message) {
  import_.problems.push_back(
      {option.origin, option.name, without_credentials(option), "", std::move(message)});
}

std::optional<bool> Translator::flag(const Option& option) {
  const std::string text = lower(option.value);
  if (text == "true" || text == "1" || text == "yes" || text == "on") return true;
  if (text == "false" || text == "0" || text == "no" || text == "off") return false;
  refuse(option, fmt::format("'{}' is neither true nor false", option.value));
  return std::nullopt;
}

std::optional<uint64_t> Translator::bytes(const Option& option) {
  const auto size = base::parse_size(option.value + "GiB");
  if (size) return *size;
  refuse(option, fmt::format("'{}' is not a number of gigabytes", option.value));
  return std::nullopt;
}

std::optional<double> Translator::share(const Option& option) {
  const auto value = parse_value(Kind::kRatio, option.value);
  if (value && std::get<double>(*value) >= 0 && std::get<double>(*value) <= 1) {
    return std::get<double>(*value);
  }
  refuse(option, fmt::format("'{}' is not a share: 0 to 1", option.value));
  return std::nullopt;
}

void Translator::time(const std::string& key, std::string_view unit, const Option& option) {
  const auto duration = parse_value(Kind::kDuration, fmt::format("{}{}", option.value, unit));
  if (duration) return carry(key, text_of(Kind::kDuration, *duration), option);
  refuse(option, fmt::format("'{}' is not a number of {}", option.value, unit));
}

void Translator::l1_budget(const Option& option) {
  budget_ = option;
}
void Translator::disk_paths(const Option& option) {
  if (!says_none(option.value)) paths_ = option;
}
void Translator::disk_capacity(const Option& option) {
  capacity_ = option;
}
void Translator::disk_sharding(const Option& option) {
  sharding_ = option;
}
void Translator::trigger(const Option& option) {
  trigger_ = option;
}
void Translator::ratio(const Option& option) {
  ratio_ = option;
}
void Translator::store_policy(const Option& option) {
  store_policy_ = option;
}

void Translator::eviction(const Option& option) {
  const std::string name = lower(option.value);
  carry("l1.eviction", name == "noop" ? "noop" : "lru", option);
  if (name == "noop" || name == "lru") return;
  leave(option, "this policy is not built: lru is used");
}

void Translator::prefetch_policy(const Option& option) {
  const std::string name = lower(option.value);
  if (name == "retain") return carry("prefetch.policy", "retain", option);
  if (name == "default") return carry("prefetch.policy", "temporary", option);
  leave(option, "this policy is not built; prefetch.policy allows retain and temporary");
}

void Translator::finish_l1(Form form) {
  if (!budget_ && form == Form::kFlags) return;
  const Option option = budget_.value_or(Option{"max_local_cpu_size", kBudgetGigabytes, "LMCache's default"});
  const auto budget = bytes(option);
  if (!budget) return;
  if (*budget > 0) return carry("l1.budget", size_text(*budget), option);
  carry("l1.mode", "staging", option);
  leave(option, "tiers need some memory to move blocks: l1.budget stays at its default, l1.mode is staging");
}

// LMCache starts to evict at the trigger and takes a share of what is used then.
void Translator::finish_watermarks() {
  if (!trigger_ && !ratio_) return;
  const auto high = trigger_ ? share(*trigger_) : kTrigger;
  const auto part = ratio_ ? share(*ratio_) : kRatio;
  if (!high || !part) return;
  const double low = std::round(*high * (1 - *part) * 1e4) / 1e4;
  const Option& both = trigger_ ? *trigger_ : *ratio_;
  carry("l1.high_watermark", fmt::format("{}", *high), both);
  carry("l1.low_watermark", fmt::format("{}", std::max(low, std::min(kLeastWatermark, *high))),
        ratio_ ? *ratio_ : both);
}

void Translator::finish_local_disk() {
  if (!paths_) {
    for (const auto* option : {&capacity_, &sharding_}) {
      if (*option) leave(**option, "without local_disk there is no disk to use it");
    }
    return;
  }
  const auto capacity = capacity_ ? bytes(*capacity_) : std::optional<uint64_t>(0);
  if (!capacity) return;
  if (*capacity == 0) {
    return leave(*paths_, "no disk tier: max_local_disk_size gives it no room");
  }
  Tier tier{"disk", *paths_, {}};
  tier.keys.push_back(carried("disk.paths", split_paths(paths_->value), true, *paths_));
  tier.keys.push_back(carried("disk.capacity", {size_text(*capacity)}, false, *capacity_));
  if (sharding_ && sharding_->value == "by_gpu") {
    tier.keys.push_back(carried("disk.placement", {"by_rank"}, false, *sharding_));
  } else if (sharding_) {
    leave(*sharding_, "this sharding is not built; disk.placement allows by_key and by_rank");
  }
  tiers_.push_back(std::move(tier));
}

void Translator::finish_tiers() {
  if (store_policy_ && tiers_.empty()) leave(*store_policy_, "there is no tier to store to");
  const std::string policy = store_policy_ ? lower(store_policy_->value) : "";
  if (!policy.empty() && policy != "default" && policy != "skip_l1") {
    leave(*store_policy_, "this policy is not built: write_through is used");
  }
  for (size_t i = 0; i < tiers_.size(); ++i) {
    Tier& tier = tiers_[i];
    const auto same = std::count_if(tiers_.begin(), tiers_.begin() + static_cast<ptrdiff_t>(i),
                                    [&](const Tier& other) { return other.name == tier.name; });
    const std::string name = same == 0 ? tier.name : fmt::format("{}-{}", tier.name, same + 1);
    const bool mock = tier.keys.front().setting.key.starts_with("mock.");
    tier.keys.push_back(carried("name", {name}, false, tier.option));
    tier.keys.push_back(carried("kind", {mock ? "mock" : "disk"}, false, tier.option));
    if (store_policy_) {
      const char* stores = policy == "skip_l1" ? "skip_l1" : "write_through";
      tier.keys.push_back(carried("store_policy", {stores}, false, *store_policy_));
    }
  }
  for (size_t i = 0; i < tiers_.size(); ++i) {
    for (Carried& key : tiers_[i].keys) {
      key.setting.key = fmt::format("tiers[{}].{}", i, key.setting.key);
      import_.carried.push_back(std::move(key));
    }
  }
}

Import Translator::finish(Form form) {
  finish_l1(form);
  finish_watermarks();
  finish_local_disk();
  finish_tiers();
  return std::move(import_);
}

}  // namespace terrace::config::lmcache
