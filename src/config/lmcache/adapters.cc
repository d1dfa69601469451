// Backends behind the memory of LMCache's server: --l2-adapter '{"type": "fs", ...}'.
#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "config/lmcache/translator.h"
#include "config/value.h"

namespace terrace::config::lmcache {
namespace {

using Json = nlohmann::json;

std::string text_in(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// A field as an option of its own, for messages: "--l2-adapter fs base_path".
Option field(const Json& fields, const std::string& name, const Option& option) {
  const std::string type = fields.contains("type") ? text_in(fields["type"]) : "?";
  return {fmt::format("{} {}.{}", option.name, type, name), text_in(fields[name]), option.origin};
}

Carried carried(const std::string& key, const std::string& text, const Option& option) {
  return {{key, {text}, key == "disk.paths", option.origin},
          fmt::format("{} {}", option.name, without_credentials(option))};
}

std::string size_text(uint64_t bytes) {
  return text_of(Kind::kSize, Value(bytes));
}

}  // namespace

void Translator::adapter(const Option& option) {
  const Json fields = Json::parse(option.value, nullptr, false);
  if (!fields.is_object() || !fields.contains("type")) {
    return refuse(option,
                  R"(not a JSON object with a "type", such as {"type": "fs", "base_path": "/cache"})");
  }
  const std::string type = text_in(fields["type"]);
  if (type == "mock") return mock_adapter(fields, option);
  if ((type == "fs" || type == "fs_native") && fields.contains("base_path")) {
    return disk_adapter(fields, option);
  }
  const Option named{fmt::format("{} {}", option.name, type), option.value, option.origin};
  if (type == "fs" || type == "fs_native") return refuse(named, "it has no base_path");
  if (type == "raw_block") {
    return leave(named, "disk tiers live in a directory of a file system: make one on the device");
  }
  leave(named, type == "resp" || type == "s3" ? reason_for("remote_url")
                                              : "Terrace has no such kind of tier; there are disk and mock");
}

void Translator::disk_adapter(const Json& fields, const Option& option) {
  Tier tier{text_in(fields["type"]), option, {}};
  tier.keys.push_back(
      carried("disk.paths", text_in(fields["base_path"]), field(fields, "base_path", option)));
  const std::string limit = fields.contains("max_capacity_gb") ? "max_capacity_gb" : "max_size_gb";
  if (fields.contains(limit)) {
    const Option asked = field(fields, limit, option);
    const auto capacity = bytes(asked);
    if (!capacity) return;
    tier.keys.push_back(carried("disk.capacity", size_text(*capacity), asked));
  } else {
    const Option none{option.name + " " + tier.name, "without a limit", option.origin};
    tier.keys.push_back(carried("disk.capacity", size_text(default_capacity_), none));
    leave(none,
          fmt::format("a disk tier never grows beyond its capacity: {} is chosen, set what the disk has "
                      "(--disk-capacity)",
                      size_text(default_capacity_)));
  }
  constexpr std::array<std::string_view, 4> kCarried{"type", "base_path", "max_capacity_gb", "max_size_gb"};
  leave_fields(fields, kCarried, option);
  tiers_.push_back(std::move(tier));
}

void Translator::mock_adapter(const Json& fields, const Option& option) {
  Tier tier{"mock", option, {}};
  for (const auto& [name, key] :
       {std::pair("max_size_gb", "mock.capacity"), std::pair("mock_bandwidth_gb", "mock.bytes_per_second")}) {
    if (!fields.contains(name)) continue;
    const Option asked = field(fields, name, option);
    if (const auto amount = bytes(asked)) tier.keys.push_back(carried(key, size_text(*amount), asked));
  }
  // A tier is recognised by its keys (finish_tiers), so it has one.
  if (tier.keys.empty()) tier.keys.push_back(carried("mock.latency", "0", option));
  constexpr std::array<std::string_view, 3> kCarried{"type", "max_size_gb", "mock_bandwidth_gb"};
  leave_fields(fields, kCarried, option);
  tiers_.push_back(std::move(tier));
}

void Translator::leave_fields(const Json& fields, std::span<const std::string_view> carried,
                              const Option& option) {
  for (const auto& [name, value] : fields.items()) {
    if (std::find(carried.begin(), carried.end(), name) != carried.end()) continue;
    leave(field(fields, name, option), name == "use_odirect"
                                           ? "nothing to switch: disk tiers always go past the page cache"
                                           : "Terrace's tiers have no such option");
  }
}

}  // namespace terrace::config::lmcache
