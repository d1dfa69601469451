#include "lab/kit/real_store.h"

#include <thread>

#include <fmt/format.h>

#include "base/thread_executor.h"
#include "io/posix_file_system.h"
#include "io/scheduler.h"
#include "memory/arena.h"
#include "store/storage_manager.h"
#include "tier/disk/disk_tier.h"

namespace terrace::lab {
namespace {

// Long enough for a machine that does other things too; only what never comes passes it.
constexpr Timeout kPatience = std::chrono::seconds(30);
constexpr auto kPollPause = std::chrono::microseconds(200);

StoreOptions store_options(const RealStoreOptions& options) {
  StoreOptions store;
  store.l1.budget = options.l1_budget;
  store.l1.mode = L1Mode::kStaging;
  store.l1.largest_block = options.catalog.bytes_max;
  TierOptions disk;
  disk.disk.paths = {options.directory};
  disk.disk.capacity = options.capacity;
  disk.disk.io = options.io;
  disk.eviction = options.eviction;
  store.tiers = {disk};
  return store;
}

}  // namespace

// Members go in reverse: what does IO before the threads it posts to.
struct RealStore::Process {
  base::SteadyClock clock;
  base::ThreadExecutor executor{"lab-store"}, disk_executor{"lab-disk"};
  io::PosixFileSystem files;
  std::unique_ptr<io::IoEngine> engine;
  std::unique_ptr<io::IoScheduler> scheduler;
  ~Process() {
    scheduler.reset();
    engine->stop();
  }
};

RealStore::RealStore(RealStoreOptions options, Findings& findings, std::string context)
    : options_(std::move(options)),
      findings_(findings),
      context_(std::move(context)),
      catalog_(options_.catalog),
      expected_(catalog_.size()) {}

RealStore::~RealStore() {
  if (is_open()) close();
}

Outcome<std::unique_ptr<Store>> RealStore::open_store() {
  const StoreOptions options = store_options(options_);
  if (!options_.engine) return Store::open(options);
  auto engine = options_.engine();
  if (!engine) return failure(engine.error().code, to_string(engine.error()));
  process_ = std::make_shared<Process>();
  process_->engine = std::move(*engine);
  process_->scheduler = std::make_unique<io::IoScheduler>(*process_->engine, io::SchedulerOptions{});
  tier::disk::DiskOptions disk;
  disk.paths = options.tiers[0].disk.paths;
  disk.capacity_bytes = options_.capacity;
  tier::disk::DiskParts disk_parts{process_->clock, process_->disk_executor, process_->files, {}};
  disk_parts.schedulers.push_back(*process_->scheduler);
  auto tier = tier::disk::DiskTier::open(disk, disk_parts);
  if (!tier) return std::unexpected(tier.error());
  store::StoreParts parts;
  parts.keep_alive = process_;
  parts.clock = &process_->clock;
  parts.executor = &process_->executor;
  parts.segments = memory::anonymous_segments();
  parts.tiers.push_back(std::move(*tier));
  auto manager = store::StorageManager::create(options, std::move(parts));
  if (!manager) return std::unexpected(manager.error());
  return std::make_unique<Store>(std::move(*manager));
}

Outcome<void> RealStore::open() {
  auto opened = open_store();
  if (!opened) {
    process_.reset();
    return std::unexpected(opened.error());
  }
  store_ = std::move(*opened);
  if (!store_->wait_recovered(kPatience)) findings_.fail(context_ + "recovery did not end");
  for (uint32_t space = 0; space < catalog_.spaces(); space++) {
    if (!store_->open_namespace(catalog_.space(space))) findings_.fail(context_ + "a namespace was refused");
  }
  ClientOptions how;
  how.reliable = how.pristine = how.complete = false;
  how.mode = L1Mode::kStaging;
  how.patience = kPatience;
  how.context = context_;
  how.verbose = options_.verbose;
  client_ = std::make_unique<Client>(*store_, catalog_, expected_, clock_, findings_, how);
  return {};
}

void RealStore::close() {
  client_->release_all();
  settle();
  client_.reset();
  const auto abandoned = store_->close(kPatience);
  if (abandoned.value_or(1) != 0) findings_.fail(context_ + "close abandoned operations");
  store_.reset();
  // The last task of the store's thread may still refer to what it runs on; it must not go on that thread.
  while (process_ != nullptr && process_.use_count() > 1) std::this_thread::sleep_for(kPollPause);
  process_.reset();
}

TierStats RealStore::disk() const {
  return store_->stats().tiers[1];
}

void RealStore::settle() {
  const auto until = clock_.now() + kPatience;
  while (client_->owed() > 0 && clock_.now() < until) {
    client_->poll();
    if (client_->owed() > 0) std::this_thread::sleep_for(kPollPause);
  }
  client_->poll();
  if (client_->owed() > 0) findings_.fail(context_ + "events did not come");
}

void RealStore::store_chain(uint32_t chain) {
  client_->store_chain(chain);
  settle();
}

void RealStore::store_all() {
  for (uint32_t chain = 0; chain < catalog_.chains(); chain++) store_chain(chain);
}

uint64_t RealStore::check_all(const std::set<uint32_t>& may_miss, bool nothing_owed) {
  uint64_t found = 0;
  for (uint32_t block = 0; block < catalog_.size(); block++) {
    const bool owed = expected_.of(block).must_be_found() && !nothing_owed && !may_miss.contains(block);
    const bool is_there = client_->check_block(block, kPatience).value_or(0) != 0;
    findings_.count("checked");
    found += is_there ? 1 : 0;
    if (owed && !is_there)
      findings_.fail(fmt::format("{}block {} was acknowledged and is missing", context_, block));
  }
  return found;
}

}  // namespace terrace::lab
