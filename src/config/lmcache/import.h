// From an LMCache configuration to Terrace's (C2): what has an equivalent becomes settings, what has none is
// named with the reason. Nothing is passed over in silence. LMCache's GB are GiB.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/lmcache/options.h"
#include "config/source.h"

namespace terrace::config::lmcache {

struct Carried {
  Setting setting;
  std::string from;  // "max_local_cpu_size: 60"
};

// Of what is left, credentials are already hidden.
struct Left {
  Option option;
  std::string reason;
};

struct Import {
  std::vector<Carried> carried;
  std::vector<Left> left;
  std::vector<Problem> problems;  // values that cannot be read
};

// `disk_capacity` is for disk tiers whose LMCache backend has no limit.
Import translate(Form form, const OptionList& list, uint64_t disk_capacity);

// Why Terrace has no equivalent of an option, by its name.
std::string reason_for(const std::string& name);
// The value with passwords in URLs, and values of options that are credentials, replaced by ***.
std::string without_credentials(const Option& option);

// The Terrace configuration, with what each value came from and what was left in comments.
std::string to_yaml(const Import& import, const std::string& title);

}  // namespace terrace::config::lmcache
