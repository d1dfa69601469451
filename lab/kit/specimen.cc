#include "lab/kit/specimen.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "io/sim/sim_file_system.h"
#include "policy/eviction.h"
#include "tier/disk/layout.h"

namespace terrace::lab {
namespace {

namespace disk = tier::disk;

constexpr uint64_t kSeedsATurn = 25;  // specimens are made for so many cases or twice as many
constexpr Timeout kTimeout = std::chrono::seconds(10);

MachineOptions machine_options(const SpecimenOptions& options) {
  MachineOptions machine;
  machine.seed = options.seed;
  machine.disk.paths = {Specimen::directory()};
  machine.disk.segment_bytes = 256 * base::kKiB;
  machine.disk.capacity_bytes = 24 * machine.disk.segment_bytes;
  machine.store.l1.budget = 4 * base::kMiB;
  // Every mode, and every policy under which the disk holds the whole catalog: what another policy keeps off
  // the disk, nothing there can be mistaken for.
  constexpr std::array kModes{L1Mode::kCache, L1Mode::kStaging, L1Mode::kOff};
  const uint64_t turn = options.seed / kSeedsATurn;
  const auto eviction = policy::eviction_policy_names();
  machine.store.l1.mode = kModes[turn % kModes.size()];
  machine.disk_rules.store_policy = turn % 2 == 1 ? "skip_l1" : "write_through";
  machine.disk_rules.eviction = eviction[turn % eviction.size()];
  machine.latency = std::chrono::microseconds(5);
  return machine;
}

}  // namespace

// Slot tables name keys in the clear.
std::map<uint32_t, BlockLocation> locate_blocks(const Catalog& catalog, const Image& image) {
  std::map<uint32_t, BlockLocation> locations;
  for (const auto& [path, bytes] : image) {
    const size_t directory_end = path.rfind('/') + 1;
    const auto name = disk::parse_segment_name(std::string_view(path).substr(directory_end));
    if (!name || !name->is_table || bytes.size() < disk::kPage) continue;
    const auto slot_bytes = base::load_le<uint64_t>(bytes.data() + offsetof(disk::SegmentHeader, slot_bytes));
    const auto slots = base::load_le<uint32_t>(bytes.data() + offsetof(disk::SegmentHeader, slot_count));
    for (uint32_t index = 0; index < slots && disk::entry_offset(index + 1) <= bytes.size(); index++) {
      Key key;
      std::memcpy(key.bytes.data(), bytes.data() + disk::entry_offset(index), key.bytes.size());
      const uint32_t block = catalog.find(key);
      if (block == kNoBlock) continue;
      locations[block] = {.segment = name->segment,
                          .index = index,
                          .data = path.substr(0, directory_end) + disk::data_name(name->segment),
                          .table = path,
                          .record_offset = index * slot_bytes,
                          .entry_offset = disk::entry_offset(index),
                          .slot_bytes = slot_bytes};
    }
  }
  return locations;
}

Specimen::Specimen(const SpecimenOptions& options)
    : options_(options),
      catalog_({.seed = options.catalog_seed,
                .namespaces = 2,
                .chains = options.chains,
                .chain_blocks_max = options.chain_blocks_max,
                .mix = options.mix,
                .bytes_max = options.bytes_max}),
      machine_(machine_options(options)),
      expected_(catalog_.size()) {
  for (uint32_t block = 0; block < catalog_.size(); block++) {
    for (Writer writer = 1; writer < options.first_writer; writer++) expected_.begin_write(block);
    expected_.settle(block, 0);
  }
  Findings findings;
  live(findings, [this](Client& client) {
    for (uint32_t chain = 0; chain < catalog_.chains(); chain++) store_chain(client, chain);
  });
  TERRACE_ASSERT(findings.clean() && locations_.size() == catalog_.size());
}

std::unique_ptr<Client> Specimen::make_client(Findings& findings, const std::string& context) {
  ClientOptions how;
  how.reliable = false;
  how.pristine = false;
  how.complete = false;
  how.mode = machine_.options().store.l1.mode;
  how.context = context;
  return std::make_unique<Client>(machine_.store(), catalog_, expected_, machine_.time(), findings, how);
}

void Specimen::store_chain(Client& client, uint32_t chain) {
  client.store_chain(chain);
  settle(client);
}

void Specimen::settle(Client& client) {
  const base::TimePoint until = machine_.time().now() + std::chrono::seconds(60);
  while (client.owed() > 0 && machine_.time().now() < until) {
    machine_.time().run_for(std::chrono::microseconds(100));
    client.poll();
  }
}

void Specimen::live(Findings& findings, const std::function<void(Client&)>& work) {
  const auto started = machine_.start();
  TERRACE_ASSERT(started.has_value());
  TERRACE_ASSERT(machine_.store().wait_recovered(kTimeout));
  for (uint32_t space = 0; space < catalog_.spaces(); space++) {
    TERRACE_ASSERT(machine_.store().open_namespace(catalog_.space(space)).has_value());
  }
  auto client = make_client(findings, "");
  work(*client);
  client->release_all();
  settle(*client);
  client.reset();
  if (const uint64_t abandoned = machine_.stop(kTimeout); abandoned != 0)
    findings.fail("close abandoned operations");
  image_ = take_image();
  locations_ = locate_blocks(catalog_, image_);
}

Image Specimen::take_image() {
  Image image;
  const auto names = machine_.disk().list(directory());
  TERRACE_ASSERT(names.has_value());
  for (const auto& name : *names) {
    auto bytes = machine_.disk().contents(directory() + "/" + name);
    if (bytes) image.emplace(directory() + "/" + name, std::move(*bytes));
  }
  return image;
}

void Specimen::restore(const Image& image) {
  io::SimFileSystem files(machine_.disk());
  for (const auto& name : files.list(directory()).value_or(std::vector<std::string>{})) {
    if (!image.contains(directory() + "/" + name)) (void)files.remove(directory() + "/" + name);
  }
  for (const auto& [path, bytes] : image) TERRACE_ASSERT(machine_.disk().replace(path, bytes).has_value());
}

void Specimen::flip(const std::string& path, uint64_t bit) {
  TERRACE_ASSERT(machine_.disk().flip_bit(path, bit).has_value());
}

void Specimen::put(const std::string& path, uint64_t offset, std::span<const std::byte> bytes) {
  auto contents = machine_.disk().contents(path);
  TERRACE_ASSERT(contents.has_value() && offset + bytes.size() <= contents->size());
  std::ranges::copy(bytes, contents->begin() + static_cast<int64_t>(offset));
  TERRACE_ASSERT(machine_.disk().replace(path, *contents).has_value());
}

void Specimen::examine(const std::set<uint32_t>& may_miss, const std::set<uint32_t>& must_miss,
                       Findings& findings, const std::string& context) {
  const auto started = machine_.start();
  if (!started) return findings.fail(fmt::format("{}the start failed: {}", context, started.error().message));
  if (!machine_.store().wait_recovered(kTimeout)) findings.fail(context + "recovery did not end");
  auto client = make_client(findings, context);
  for (uint32_t block = 0; block < catalog_.size(); block++) {
    const uint64_t wrong = findings.wrong;
    const bool found = client->check_block(block, kTimeout).value_or(0) != 0;
    findings.count("checked");
    const bool sound = findings.wrong == wrong && locations_.contains(block);
    if (!found && sound && !may_miss.contains(block) && !must_miss.contains(block)) {
      findings.fail(fmt::format("{}block {} is missing, though nothing of it was damaged", context, block));
    }
    if (found && must_miss.contains(block)) {
      findings.count("undetected");
      findings.fail(fmt::format("{}block {} was delivered from a damaged record", context, block));
    }
  }
  client->abandon();
  client.reset();
  machine_.kill();
  machine_.bury();
}

}  // namespace terrace::lab
