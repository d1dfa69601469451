#include <algorithm>
#include <cctype>
#include <cmath>

#include <fmt/format.h>

#include "config/lmcache/import.h"
#include "config/lmcache/translator.h"

namespace terrace::config::lmcache {
namespace {

struct Rule {
  std::string_view name;
  void (*carry)(Translator&, const Option&);
};

constexpr Rule kRules[] = {
    {"max_local_cpu_size", [](Translator& to, const Option& option) { to.l1_budget(option); }},
    {"--l1-size-gb", [](Translator& to, const Option& option) { to.l1_budget(option); }},
    {"local_cpu",
     [](Translator& to, const Option& option) {
       if (const auto on = to.flag(option)) to.carry("l1.mode", *on ? "cache" : "staging", option);
     }},
    {"use_only_staging_buffer",
     [](Translator& to, const Option& option) {
       if (to.flag(option).value_or(false)) to.carry("l1.mode", "staging", option);
     }},
    {"local_disk", [](Translator& to, const Option& option) { to.disk_paths(option); }},
    {"max_local_disk_size", [](Translator& to, const Option& option) { to.disk_capacity(option); }},
    {"local_disk_path_sharding", [](Translator& to, const Option& option) { to.disk_sharding(option); }},
    {"cache_policy", [](Translator& to, const Option& option) { to.eviction(option); }},
    {"--eviction-policy", [](Translator& to, const Option& option) { to.eviction(option); }},
    {"blocking_timeout_secs",
     [](Translator& to, const Option& option) { to.time("get.timeout", "s", option); }},
    {"lookup_timeout_ms",
     [](Translator& to, const Option& option) { to.time("lookup.timeout", "ms", option); }},
    {"--eviction-trigger-watermark", [](Translator& to, const Option& option) { to.trigger(option); }},
    {"--eviction-ratio", [](Translator& to, const Option& option) { to.ratio(option); }},
    {"--l2-store-policy", [](Translator& to, const Option& option) { to.store_policy(option); }},
    {"--l2-prefetch-policy", [](Translator& to, const Option& option) { to.prefetch_policy(option); }},
    {"--l2-adapter", [](Translator& to, const Option& option) { to.adapter(option); }},
};

}  // namespace

Import translate(Form form, const OptionList& list, uint64_t disk_capacity) {
  Translator translator(disk_capacity);
  translator.problems(list.problems);
  for (const Option& option : list.options) {
    const auto* rule = std::find_if(std::begin(kRules), std::end(kRules),
                                    [&](const Rule& known) { return known.name == option.name; });
    if (rule != std::end(kRules)) {
      rule->carry(translator, option);
    } else {
      translator.leave(option, reason_for(option.name));
    }
  }
  return translator.finish(form);
}

}  // namespace terrace::config::lmcache
