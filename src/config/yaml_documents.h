// How many documents a YAML text has. yaml-cpp's own LoadAll makes documents of nothing, without end, where a
// text begins with what no document can, such as a comma.
#pragma once

#include <optional>
#include <string>

#include <yaml-cpp/mark.h>

namespace terrace::config {

// Where the second one begins. A configuration has one: what is behind it would be passed over in silence.
// Throws YAML::Exception where the text is no YAML.
std::optional<YAML::Mark> second_document(const std::string& text);

}  // namespace terrace::config
