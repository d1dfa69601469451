// Another cache's configuration: the first byte chooses its form, or lets it be guessed.
#include <algorithm>

#include "base/assert.h"
#include "config/lmcache/import.h"
#include "fuzz/kit/input.h"
#include "fuzz/kit/target.h"
#include "fuzz/targets/settings.h"

namespace terrace::fuzz {
namespace {

namespace lmcache = config::lmcache;

constexpr uint64_t kDiskCapacity = 100ull << 30;

lmcache::Form form_of(uint32_t choice, std::string_view text) {
  switch (choice) {
    case 0:
      return lmcache::Form::kYaml;
    case 1:
      return lmcache::Form::kEnvironment;
    case 2:
      return lmcache::Form::kFlags;
    default:
      return lmcache::guess_form(text);
  }
}

void run(std::span<const std::byte> input) {
  Input bytes(input);
  const uint32_t choice = bytes.below(4);
  const std::string_view text = text_of(bytes.rest());
  (void)lmcache::form_named(text);
  const lmcache::Form form = form_of(choice, text);
  const auto options = lmcache::read_options(form, text, "lmcache");
  const auto import = lmcache::translate(form, options, kDiskCapacity);
  // What comes out is YAML of keys that there are, each once, with the values that were carried.
  const config::Source source = config::read_yaml(lmcache::to_yaml(import, "imported"), "terrace.yaml");
  TERRACE_ASSERT(source.problems.empty());
  TERRACE_ASSERT(source.settings.size() == import.carried.size());
  for (const config::Setting& setting : source.settings) {
    const auto same = std::ranges::find_if(
        import.carried, [&](const lmcache::Carried& one) { return one.setting.key == setting.key; });
    TERRACE_ASSERT(same != import.carried.end() && same->setting.texts == setting.texts);
  }
  check_source(source);
}

const Registered kRegistered({.name = "config_lmcache", .run = run});

}  // namespace
}  // namespace terrace::fuzz
