// Settings as a configuration file that reads back as the same settings.
#pragma once

#include <span>
#include <string>

#include "config/source.h"

namespace terrace::config {

struct Line {
  const Setting* setting;
  std::string comment;  // behind the value; may be empty
};

// Sections in the order of the schema. Every setting's key is one of the schema, each at most once.
std::string write_yaml(std::span<const Line> lines);

// A text that YAML reads as this text, whatever is in it.
std::string quoted(const std::string& text);

}  // namespace terrace::config
