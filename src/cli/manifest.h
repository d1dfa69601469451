// The list of files of `terrace put --manifest`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <terrace/error.h>

#include "cli/arguments.h"

namespace terrace::cli {

struct ManifestLine {
  BlockName name;
  std::string path;
};

// Lines `HEX64 PATH`; a path may hold spaces. Empty lines and those that begin with # are passed over. The
// failure names `source` and the line.
Outcome<std::vector<ManifestLine>> parse_manifest(std::string_view text, std::string_view source,
                                                  const Key& root);

// The file's text; "-" is standard input.
Outcome<std::string> read_manifest(const std::string& path);

}  // namespace terrace::cli
