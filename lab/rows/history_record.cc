#include "lab/rows/history_record.h"

#include <fstream>
#include <type_traits>

namespace terrace::lab {
namespace {

template <class T>
void put(std::ofstream& file, const std::vector<T>& list) {
  static_assert(std::is_trivially_copyable_v<T>);
  const uint64_t size = list.size();
  file.write(reinterpret_cast<const char*>(&size), sizeof size);
  file.write(reinterpret_cast<const char*>(list.data()), static_cast<std::streamsize>(size * sizeof(T)));
}

template <class T>
void take(std::ifstream& file, std::vector<T>& list) {
  uint64_t size = 0;
  file.read(reinterpret_cast<char*>(&size), sizeof size);
  list.resize(file ? size : 0);
  file.read(reinterpret_cast<char*>(list.data()), static_cast<std::streamsize>(list.size() * sizeof(T)));
}

}  // namespace

void save(const HistoryRecord& record, const std::string& path) {
  std::ofstream file(path, std::ios::binary);
  put(file, record.writes);
  put(file, record.removals);
  put(file, record.sightings);
}

HistoryRecord load_history(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  HistoryRecord record;
  take(file, record.writes);
  take(file, record.removals);
  take(file, record.sightings);
  return file ? record : HistoryRecord{};
}

}  // namespace terrace::lab
