// Growing a table whose entries have numbers, and the list of its free numbers beside it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace terrace::store {

// Afterwards one entry more, and every entry's number on the free list, take no memory: what adds an entry
// calls this first and so changes nothing when there is none, and what frees one cannot fail.
template <typename Entry, typename Number>
void make_room(std::vector<Entry>& entries, std::vector<Number>& free) {
  constexpr size_t kFirst = 16;
  if (entries.size() < std::min(entries.capacity(), free.capacity())) return;
  const size_t room = std::max(kFirst, 2 * entries.size());
  free.reserve(room);
  entries.reserve(room);
}

}  // namespace terrace::store
