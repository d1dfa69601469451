// What a store's directory holds, read offline: its namespaces and blocks.
#pragma once

#include <string>
#include <vector>

#include "cli/offline_store.h"

namespace terrace::cli {

struct ListedBlock {
  tier::disk::SlotEntry entry;
  std::string file;
  uint64_t offset = 0;
};

struct ListedNamespace {
  tier::KnownNamespace known;
  uint64_t blocks = 0, bytes = 0;
};

struct Listing {
  std::vector<ListedNamespace> namespaces;  // by root
  std::vector<ListedBlock> blocks;          // by key, each once
  std::vector<Damage> damage;               // of superblocks and tables; records are not read
};

Listing list_store(io::FileSystem& files, const OfflineStore& store);

// Keeps one namespace: ROOT in 64 hexadecimal digits, or all with the model id NAME. kNotFound names those
// there are.
Outcome<void> keep_namespace(Listing& listing, const std::string& wanted);

}  // namespace terrace::cli
