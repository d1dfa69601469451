// A small closed store on a simulated disk, taken apart: where each block's record and slot entry stand, its
// files as bytes, and a way to put it back as it was. Rows 5 and 6 damage it and look at what a store makes
// of it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "lab/kit/catalog.h"
#include "lab/kit/client.h"
#include "lab/kit/expected_state.h"
#include "lab/kit/machine.h"
#include "lab/kit/report.h"

namespace terrace::lab {

struct SpecimenOptions {
  uint64_t seed = 1;
  uint64_t catalog_seed = 1;  // specimens of one catalog hold the same keys
  SizeMix mix = SizeMix::kFew;
  uint64_t bytes_max = 6000;
  Writer first_writer = 1;  // values of another specimen's writers are wrong in this one
  uint32_t chains = 24;
  uint32_t chain_blocks_max = 8;
};

// Files by path.
using Image = std::map<std::string, std::vector<std::byte>>;

// Where a block's record and slot entry stand.
struct BlockLocation {
  uint32_t segment = 0, index = 0;
  std::string data, table;     // paths
  uint64_t record_offset = 0;  // in the data file
  uint64_t entry_offset = 0;   // in the slot table
  uint64_t slot_bytes = 0;
};
// Of every block of the catalog that the slot tables among the files name.
std::map<uint32_t, BlockLocation> locate_blocks(const Catalog& catalog, const Image& image);

class Specimen {
 public:
  explicit Specimen(const SpecimenOptions& options);

  using Location = BlockLocation;
  const Catalog& catalog() const { return catalog_; }
  Machine& machine() { return machine_; }
  ExpectedState& expected() { return expected_; }
  // Of the store as it was last closed.
  const std::map<uint32_t, Location>& locations() const { return locations_; }
  const Image& image() const { return image_; }
  static std::string directory() { return "/store"; }
  static std::string superblock() { return directory() + "/superblock"; }

  // Puts the files back as they were when the store was last closed, or as `image` has them.
  void restore() { restore(image_); }
  void restore(const Image& image);
  // Damage of the files at rest.
  void flip(const std::string& path, uint64_t bit);
  void put(const std::string& path, uint64_t offset, std::span<const std::byte> bytes);

  // Opens the store and asks for every block alone. Nothing delivered may be wrong; blocks not in `may_miss`
  // are found, those in `must_miss` are not. Then the store goes as if killed.
  void examine(const std::set<uint32_t>& may_miss, const std::set<uint32_t>& must_miss, Findings& findings,
               const std::string& context);
  // Opens the store, lets `work` do what it wants, and closes it in order; takes it apart again.
  void live(Findings& findings, const std::function<void(Client&)>& work);
  // Stores the chain's blocks and waits until their writes have ended.
  void store_chain(Client& client, uint32_t chain);
  void settle(Client& client);

 private:
  Image take_image();
  std::unique_ptr<Client> make_client(Findings& findings, const std::string& context);

  const SpecimenOptions options_;
  const Catalog catalog_;
  Machine machine_;
  ExpectedState expected_;
  Image image_;
  std::map<uint32_t, Location> locations_;
};

}  // namespace terrace::lab
