#include "lab/rows/golden_store.h"

#include <array>
#include <charconv>
#include <cstring>
#include <fstream>
#include <functional>
#include <sstream>

#include <unistd.h>

#include <fmt/format.h>
#include <terrace/store.h>

#include "base/bytes.h"
#include "tier/disk/layout.h"

namespace terrace::lab {
namespace {

namespace disk = tier::disk;

constexpr const char* kGolden = TERRACE_LAB_TESTDATA "/golden_store_1.txt";
constexpr uint64_t kCapacity = 9 * base::kMiB;

std::string from_hex(std::string_view hex) {
  std::string bytes(hex.size() / 2, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) {
    uint8_t value = 0;
    std::from_chars(hex.data() + 2 * i, hex.data() + 2 * i + 2, value, 16);
    bytes[i] = static_cast<char>(value);
  }
  return bytes;
}

// The same rule as in make_golden_store.py.
std::byte golden_byte(uint32_t number, uint64_t i) {
  return static_cast<std::byte>((i * 131 + (i >> 8) * 17 + number * 29 + 7) & 0xFF);
}

StoreOptions store_options(const std::filesystem::path& directory) {
  StoreOptions options;
  options.l1.budget = 8 * base::kMiB;
  TierOptions tier;
  tier.disk.paths = {directory.string()};
  tier.disk.capacity = kCapacity;
  options.tiers = {tier};
  return options;
}

void check_block(Store& store, const GoldenBlock& block, Findings& findings) {
  const auto blocks = store.get(std::span(&block.key, 1));
  findings.count("golden_blocks");
  if (!blocks || blocks->size() != 1) {
    return findings.fail(
        fmt::format("golden store: block {} of {} bytes is missing", block.number, block.bytes));
  }
  const auto bytes = (*blocks)[0].bytes;
  bool right = bytes.size() == block.bytes;
  for (uint64_t i = 0; right && i < bytes.size(); ++i) right = bytes[i] == golden_byte(block.number, i);
  if (!right) findings.fail_wrong(fmt::format("golden store: block {} has other bytes", block.number));
}

// Opened twice: also what this build wrote into it is of the version it had.
void serve_all(const std::filesystem::path& directory, const std::vector<GoldenBlock>& blocks,
               Findings& findings) {
  for (int life = 0; life < 2; ++life) {
    auto store = Store::open(store_options(directory));
    if (!store) return findings.fail("golden store: " + store.error().message);
    if (!(*store)->wait_recovered(std::chrono::seconds(20)))
      findings.fail("golden store: it did not recover");
    for (const GoldenBlock& block : blocks) check_block(**store, block, findings);
    const auto closed = (*store)->close(std::chrono::seconds(20));
    if (!closed || *closed != 0) findings.fail("golden store: it could not be closed");
  }
}

// Both copies of the superblock, as another program would have written them.
void change_superblock(const std::filesystem::path& directory,
                       const std::function<void(disk::Superblock&)>& change) {
  std::fstream file(directory / disk::kSuperblockName, std::ios::in | std::ios::out | std::ios::binary);
  for (const std::streamoff copy : {0, 4096}) {
    std::array<std::byte, base::kPage> page;
    file.seekg(copy);
    file.read(reinterpret_cast<char*>(page.data()), page.size());
    disk::Superblock superblock;
    std::memcpy(&superblock, page.data(), sizeof superblock);
    change(superblock);
    disk::seal(superblock, page);
    file.seekp(copy);
    file.write(reinterpret_cast<const char*>(page.data()), page.size());
  }
}

void refuse_other_version(const std::filesystem::path& directory, Findings& findings) {
  change_superblock(directory, [](disk::Superblock& superblock) { superblock.version = 2; });
  const auto store = Store::open(store_options(directory));
  if (store) return findings.fail("a store of format version 2 was opened");
  const bool named = store.error().message.find("version 2") != std::string::npos &&
                     store.error().message.find("version 1") != std::string::npos;
  if (store.error().error.code != Code::kIncompatible || !named) {
    findings.fail("a store of format version 2 was refused without both versions' names: " +
                  store.error().message);
  }
}

}  // namespace

std::vector<GoldenBlock> unpack_golden(const std::string& text_file, const std::filesystem::path& directory) {
  std::vector<GoldenBlock> blocks;
  std::ifstream text(text_file);
  for (std::string line; std::getline(text, line);) {
    std::istringstream words(line);
    std::string what, name, hex;
    uint64_t number = 0;
    words >> what >> name >> number;
    const auto path = directory / name;
    if (what == "file") {
      std::ofstream(path).flush();
      std::filesystem::resize_file(path, number);
    } else if (what == "bytes") {
      words >> hex;
      std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(static_cast<std::streamoff>(number));
      file << from_hex(hex);
    } else if (what == "block") {
      GoldenBlock block;
      block.bytes = number;
      const std::string key = from_hex(name);
      std::memcpy(block.key.bytes.data(), key.data(), std::min(key.size(), block.key.bytes.size()));
      words >> block.number;
      blocks.push_back(block);
    }
  }
  return blocks;
}

Findings open_golden_stores(const RowOptions& options) {
  Findings findings;
  const auto directory =
      std::filesystem::path(options.directory) / fmt::format("terrace-lab.golden.{}", ::getpid());
  std::filesystem::create_directories(directory);
  const auto blocks = unpack_golden(kGolden, directory);
  if (blocks.empty()) findings.fail(fmt::format("{} cannot be read", kGolden));
  serve_all(directory, blocks, findings);
  // A field that this version does not know is none of its business.
  change_superblock(directory, [](disk::Superblock& superblock) { superblock.zeros[100] = 1; });
  serve_all(directory, blocks, findings);
  refuse_other_version(directory, findings);
  if (findings.clean()) std::filesystem::remove_all(directory);
  return findings;
}

}  // namespace terrace::lab
