// One key's story (X2): where a block is, or what became of it. Told from memory, by the process that holds
// the store: what left before it opened the store is unknown to it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <terrace/key.h>

namespace terrace {

enum class MissReason : uint8_t;

struct KeyStory {
  struct Place {
    uint16_t tier = 0;      // 0 L1, i tier i
    std::string name;       // of the tier
    uint64_t bytes = 0;     // of the payload
    Key parent{};           // the block it was sealed below; all zero at the head of a chain
    bool readable = false;  // false: the device it stands on does not answer now
  };
  Key key;
  std::vector<Place> places;           // nearest first; empty when no tier holds it
  std::vector<std::string> on_way_to;  // tiers it is being written to
  MissReason reason{};                 // kNone when a get finds it now; else why not (Q5)
  // kNone, or why a tier that was to have it does not: dropped, declined, write_failed.
  MissReason not_written{};
  std::optional<Key> root;  // its namespace, when that is remembered
};

}  // namespace terrace
