// Growing a table before anything is changed, so that what is then added takes no memory (P7).
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace terrace::store {

// Afterwards one entry more takes no memory.
template <typename Entry>
void make_room(std::vector<Entry>& entries) {
  constexpr size_t kFirst = 16;
  if (entries.size() == entries.capacity()) entries.reserve(std::max(kFirst, 2 * entries.size()));
}

// The same for a table whose entries have numbers, and for every entry's number on the list of free ones:
// what frees an entry cannot fail.
template <typename Entry, typename Number>
void make_room(std::vector<Entry>& entries, std::vector<Number>& free) {
  make_room(entries);
  if (free.capacity() < entries.capacity()) free.reserve(entries.capacity());
}

}  // namespace terrace::store
