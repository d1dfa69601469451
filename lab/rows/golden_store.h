// Stores that were written once and are kept (lab/testdata): this build opens each and serves every block of
// it, and refuses the same store by name when it is of another version.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <terrace/key.h>

#include "lab/rows/rows.h"

namespace terrace::lab {

struct GoldenBlock {
  Key key;
  uint64_t bytes = 0;
  uint32_t number = 0;
};
// Writes the files that the text describes; the blocks they hold.
std::vector<GoldenBlock> unpack_golden(const std::string& text_file, const std::filesystem::path& directory);

Findings open_golden_stores(const RowOptions& options);

}  // namespace terrace::lab
