// What fields of several messages are made of.
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "wire/frame.h"

namespace terrace::wire {

inline flatbuffers::Offset<flatbuffers::String> write_text(flatbuffers::FlatBufferBuilder& builder,
                                                           const std::optional<std::string>& text) {
  return text ? builder.CreateString(*text) : flatbuffers::Offset<flatbuffers::String>{};
}

template <class T>
flatbuffers::Optional<T> optional_of(const std::optional<T>& value) {
  return value ? flatbuffers::Optional<T>(*value) : flatbuffers::Optional<T>();
}

inline std::string string_of(const flatbuffers::String* text) {
  return text == nullptr ? "" : text->str();
}

// Of a table that an older server made shorter, or a newer one longer.
template <size_t kCount>
void fill(uint64_t (&to)[kCount], const flatbuffers::Vector<uint64_t>* from) {
  const auto values = values_of(from);
  std::ranges::copy(values.first(std::min(values.size(), kCount)), to);
}

// Each table of a list, which may be absent.
template <class Table, class Do>
void for_each(const flatbuffers::Vector<flatbuffers::Offset<Table>>* tables, const Do& act) {
  if (tables == nullptr) return;
  for (const Table* table : *tables) act(*table);
}

}  // namespace terrace::wire
