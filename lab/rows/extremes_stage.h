// What the cases of row 21 stand on: a simulated machine with a store, a catalog and one client. Used by the
// row's own files only.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <terrace/store.h>

#include "base/bytes.h"
#include "base/random.h"
#include "lab/kit/catalog.h"
#include "lab/kit/client.h"
#include "lab/kit/expected_state.h"
#include "lab/kit/machine.h"
#include "lab/kit/report.h"

namespace terrace::lab {

struct StageOptions {
  MachineOptions machine;
  CatalogOptions catalog{.chains = 12, .chain_blocks_max = 6, .bytes_max = 16 << 10};
  bool roomy = true;  // the disk keeps everything
};

class ExtremesStage {
 public:
  static StageOptions usual(uint64_t seed);
  ExtremesStage(StageOptions options, Findings& findings, std::string context);
  ~ExtremesStage();
  ExtremesStage(const ExtremesStage&) = delete;
  ExtremesStage& operator=(const ExtremesStage&) = delete;

  void start();
  void stop();
  void restart() { stop(), start(); }

  Machine& machine() { return machine_; }
  Store& store() { return machine_.store(); }
  Client& client() { return *client_; }
  const Catalog& catalog() const { return catalog_; }
  Findings& findings() { return findings_; }
  TierStats disk() { return store().stats().tiers[1]; }

  void store_chain(uint32_t chain);
  void store_all();
  void settle();
  // Every block alone; what was acknowledged is found.
  void check_all();
  void pass(base::Duration time) { machine_.time().run_for(time); }

  void fail(std::string_view what) const;
  // The case's claims, each counted.
  void expect(bool claim, std::string_view what) const;
  template <class T>
  void expect_code(const Result<T>& answer, Code code, std::string_view what) const {
    const std::string got = answer ? "success" : std::string(to_string(answer.error().code));
    expect(!answer && answer.error().code == code && *answer.error().what != '\0',
           std::string(what) + ": " + got);
  }

 private:
  const StageOptions options_;
  Findings& findings_;
  const std::string context_;
  const Catalog catalog_;
  Machine machine_;
  ExpectedState expected_;
  std::unique_ptr<Client> client_;
};

// What a round is given.
struct ExtremeRound {
  uint64_t number;
  base::Random random;
  Findings findings{};
  std::string context{};
};

// extremes_calls.cc
void try_block_sizes(ExtremeRound& round);
void try_region_slices(ExtremeRound& round);
void try_batches(ExtremeRound& round);
void try_deadlines(ExtremeRound& round);
void try_odd_keys(ExtremeRound& round);
void try_families(ExtremeRound& round);

// extremes_tables.cc
void fill_l1_with_leases(ExtremeRound& round);
void fill_disk_that_never_evicts(ExtremeRound& round);
void fill_size_classes(ExtremeRound& round);
void fill_namespace_table(ExtremeRound& round);
void fill_write_credit(ExtremeRound& round);
void fill_prefetch_queue(ExtremeRound& round);
void fill_history(ExtremeRound& round);
void try_options(ExtremeRound& round);

}  // namespace terrace::lab
