// What each option of LMCache becomes. Options may come in any order: what needs several of them is settled
// in finish().
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "config/lmcache/import.h"

namespace terrace::config::lmcache {

class Translator {
 public:
  explicit Translator(uint64_t disk_capacity) : default_capacity_(disk_capacity) {}

  void carry(const std::string& key, const std::string& text, const Option& option);
  void leave(const Option& option, std::string reason);
  void problems(const std::vector<Problem>& problems);

  void l1_budget(const Option& option);
  void disk_paths(const Option& option);
  void disk_capacity(const Option& option);
  void disk_sharding(const Option& option);
  void eviction(const Option& option);
  void trigger(const Option& option);
  void ratio(const Option& option);
  void store_policy(const Option& option);
  void prefetch_policy(const Option& option);
  void adapter(const Option& option);
  // A number of `unit` ("s", "ms").
  void time(const std::string& key, std::string_view unit, const Option& option);
  // True or false, as Python and YAML write them.
  std::optional<bool> flag(const Option& option);

  Import finish(Form form);

 private:
  struct Tier {
    std::string name;
    Option option;
    std::vector<Carried> keys;  // without "tiers[N]."
  };
  // Gigabytes, as LMCache counts them.
  std::optional<uint64_t> bytes(const Option& option);
  std::optional<double> share(const Option& option);
  void refuse(const Option& option, std::string message);
  void disk_adapter(const nlohmann::json& fields, const Option& option);
  void mock_adapter(const nlohmann::json& fields, const Option& option);
  void leave_fields(const nlohmann::json& fields, std::span<const std::string_view> carried,
                    const Option& option);
  void finish_l1(Form form);
  void finish_watermarks();
  void finish_local_disk();
  void finish_tiers();

  const uint64_t default_capacity_;
  Import import_;
  std::vector<Tier> tiers_;
  std::optional<Option> budget_, paths_, capacity_, sharding_, trigger_, ratio_, store_policy_;
};

}  // namespace terrace::config::lmcache
