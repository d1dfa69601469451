// A real store in a real directory, with one client, its catalog and its expected state: what the rows have
// in common that try the machine's own limits. L1 is a staging buffer only, so whatever is delivered came
// from the disk.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include <terrace/store.h>

#include "base/clock.h"
#include "io/io_engine.h"
#include "lab/kit/catalog.h"
#include "lab/kit/client.h"
#include "lab/kit/expected_state.h"
#include "lab/kit/report.h"

namespace terrace::lab {

struct RealStoreOptions {
  std::string directory;  // of the disk tier
  CatalogOptions catalog{.chains = 16, .chain_blocks_max = 6, .bytes_max = 96 << 10};
  uint64_t capacity = 96ull << 20;
  uint64_t l1_budget = 16ull << 20;
  std::string eviction = "lru";  // of the disk
  bool verbose = false;
  IoChoice io = IoChoice::kAuto;
  // Makes the disk's engine in place of the product's choice: for engines with faults between kernel and us.
  std::function<Result<std::unique_ptr<io::IoEngine>>()> engine{};
};

class RealStore {
 public:
  // `context` begins the text of each failure.
  RealStore(RealStoreOptions options, Findings& findings, std::string context);
  ~RealStore();
  RealStore(const RealStore&) = delete;
  RealStore& operator=(const RealStore&) = delete;

  // As Store::open; waits until it has recovered.
  Outcome<void> open();
  bool is_open() const { return store_ != nullptr; }
  void close();

  Store& store() { return *store_; }
  Client& client() { return *client_; }
  const Catalog& catalog() const { return catalog_; }
  ExpectedState& expected() { return expected_; }
  TierStats disk() const;

  // Stores a chain's blocks, or every chain's, and waits for the events of their writes.
  void store_chain(uint32_t chain);
  void store_all();
  void settle();
  // Asks for every block alone. What was acknowledged is found, unless it is in `may_miss`; `nothing_owed`:
  // anything may be missing. Returns how many were found.
  uint64_t check_all(const std::set<uint32_t>& may_miss = {}, bool nothing_owed = false);

 private:
  struct Process;
  Outcome<std::unique_ptr<Store>> open_store();

  const RealStoreOptions options_;
  Findings& findings_;
  const std::string context_;
  const base::SteadyClock clock_;
  const Catalog catalog_;
  ExpectedState expected_;
  std::shared_ptr<Process> process_;  // what a store with an engine of ours runs on
  std::unique_ptr<Store> store_;
  std::unique_ptr<Client> client_;
};

}  // namespace terrace::lab
