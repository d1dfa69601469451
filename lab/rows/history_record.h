// What one client of row 16 did and saw, in order of its calls; clients that are processes hand it over in a
// file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lab/kit/history_checker.h"

namespace terrace::lab {

struct HistoryRecord {
  struct Write {
    uint32_t key;
    Writer writer;
    Span when;
  };
  struct Removal {
    uint32_t key;
    Span when;
  };
  std::vector<Write> writes;
  std::vector<Removal> removals;
  std::vector<Sighting> sightings;
};

void save(const HistoryRecord& record, const std::string& path);
// Empty when the file is not whole.
HistoryRecord load_history(const std::string& path);

}  // namespace terrace::lab
