#include <algorithm>
#include <cstring>

#include "record/layout.h"

namespace terrace::record {

PartSums sums_in(std::span<const std::byte> header) {
  HeaderLayout layout;
  std::memcpy(&layout, header.data(), sizeof layout);
  PartSums sums;
  sums.count = std::min(layout.part_count, kPartsMax);
  sums.sums = layout.part_sums;
  return sums;
}

}  // namespace terrace::record
