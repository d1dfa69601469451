#include "lab/rows/garbage_real.h"

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <system_error>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/random.h"
#include "lab/kit/apart.h"
#include "lab/kit/real_store.h"
#include "lab/kit/specimen.h"
#include "tier/disk/layout.h"

namespace terrace::lab {
namespace {

namespace disk = tier::disk;
namespace fs = std::filesystem;

constexpr std::chrono::seconds kCaseLimit{60};
constexpr uint32_t kUser = 61'999;
constexpr uint64_t kJunkFiles = 500;

enum class Victim : uint8_t { kData, kTable, kNamespaces, kSuperblock, kLock };
constexpr uint64_t kVictims = 5;
enum class Form : uint8_t { kDirectory, kDanglingLink, kLinkToItself, kLinkToDevice, kPipe, kUnreadable };
constexpr uint64_t kForms = 6;
constexpr std::array<const char*, kForms> kFormNames{"directories",     "dangling_links", "links",
                                                     "links_to_device", "pipes",          "unreadable"};

class RealCase {
 public:
  RealCase(const RowOptions& options, uint64_t number, const fs::path& scratch)
      : number_(number),
        context_(fmt::format("real case {}: ", number)),
        random_(number ^ 0x6EA1),
        directory_(scratch / "store") {
    RealStoreOptions how;
    how.directory = directory_;
    how.verbose = options.verbose;
    how.catalog.seed = number;
    how.catalog.mix = SizeMix::kFew;
    how.catalog.bytes_max = 64 * base::kKiB;
    store_ = std::make_unique<RealStore>(how, findings_, context_);
  }

  Findings run() {
    if (number_ % kRealGarbageCases == kRealGarbageCases - 1) {
      refuse_foreign();
    } else if (prepare()) {
      spoil();
    }
    return std::move(findings_);
  }

 private:
  void fail(std::string_view what) { findings_.fail(fmt::format("{}{}", context_, what)); }

  bool prepare() {
    if (const auto opened = store_->open(); !opened) {
      fail("the first start failed: " + opened.error().message);
      return false;
    }
    store_->store_all();
    store_->close();
    Image image;
    for (const auto& entry : fs::directory_iterator(directory_)) {
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string text{std::istreambuf_iterator<char>(file), {}};
      auto& bytes = image[entry.path()];
      const auto content = std::as_bytes(std::span(text));
      bytes.assign(content.begin(), content.end());
    }
    locations_ = locate_blocks(store_->catalog(), image);
    if (locations_.empty()) fail("nothing was stored");
    return !locations_.empty();
  }

  void spoil() {
    const uint64_t kind = number_ % kRealGarbageCases;
    if (kind < kVictims * kForms)
      return replace(static_cast<Victim>(kind % kVictims), static_cast<Form>(kind / kVictims));
    switch (kind - kVictims * kForms) {
      case 0:
        fs::create_directory(directory_ / disk::data_name(15));
        return starts("extra_directories");
      case 1:
        fs::create_directory(directory_ / disk::table_name(16));
        fs::create_directory(directory_ / disk::data_name(16));
        return starts("extra_directories");
      case 2:
        return add_junk();
      case 3:
        fs::permissions(directory_, fs::perms::owner_read | fs::perms::owner_exec);
        return starts("read_only_directories");
      case 4:
        fs::permissions(directory_, fs::perms::none);
        return refuses(Code::kPermission, "unreadable_directories");
      case 5:
        fs::rename(directory_, directory_.string() + ".moved");
        fs::create_directory_symlink(directory_.string() + ".moved", directory_);
        return starts("links_to_directory");
      case 6:
        fs::rename(directory_, directory_.string() + ".moved");
        std::ofstream(directory_) << "not a directory";
        return refuses(Code::kInvalidArgument, "files_for_directory");
      default:
        return change_version();
    }
  }

  fs::path path_of(Victim victim, std::set<uint32_t>& lost) {
    const auto& any =
        std::next(locations_.begin(), static_cast<int64_t>(random_.below(locations_.size())))->second;
    switch (victim) {
      case Victim::kNamespaces:
        return directory_ / disk::kNamespacesName;
      case Victim::kSuperblock:
        return directory_ / disk::kSuperblockName;
      case Victim::kLock:
        return directory_ / disk::kLockName;
      case Victim::kData:
      case Victim::kTable:
        break;
    }
    for (const auto& [block, where] : locations_) {
      if (where.segment == any.segment) lost.insert(block);
    }
    return victim == Victim::kData ? any.data : any.table;
  }

  void replace(Victim victim, Form form) {
    std::set<uint32_t> lost;
    const fs::path path = path_of(victim, lost);
    if (form == Form::kUnreadable) {
      fs::permissions(path, fs::perms::none);
    } else if (form == Form::kLinkToItself) {
      fs::rename(path, path.string() + ".moved");
      fs::create_symlink(path.string() + ".moved", path);
    } else {
      fs::remove(path);
      if (form == Form::kDirectory) fs::create_directory(path);
      if (form == Form::kDanglingLink) fs::create_symlink(directory_ / "nothing", path);
      if (form == Form::kLinkToDevice) fs::create_symlink("/dev/zero", path);
      if (form == Form::kPipe && ::mkfifo(path.c_str(), 0600) != 0) fail("no pipe could be made");
    }
    context_of(path.filename(), form);
    // A superblock or lock that cannot be opened is for people to look at; everything else is left alone.
    const bool may_refuse = victim == Victim::kSuperblock || victim == Victim::kLock;
    starts(kFormNames[static_cast<size_t>(form)], lost, may_refuse ? path.filename().string() : "");
  }

  void context_of(const std::string& name, Form form) {
    context_ =
        fmt::format("real case {} ({} among {}): ", number_, name, kFormNames[static_cast<size_t>(form)]);
  }

  // `named_if_refused`: what a refusal has to name; empty: there must be none.
  void starts(const char* figure, const std::set<uint32_t>& lost = {},
              const std::string& named_if_refused = {}) {
    findings_.count(figure);
    if (const auto opened = store_->open(); !opened) {
      if (named_if_refused.empty()) return fail("the start failed: " + opened.error().message);
      findings_.count("clear_refusals");
      if (opened.error().message.find(named_if_refused) == std::string::npos)
        fail("the refusal does not name the file: " + opened.error().message);
      return;
    }
    findings_.count("starts");
    findings_.count("found", store_->check_all(lost));
    // What was lost is stored anew, where there is room for it; nothing else suffers.
    store_->store_all();
    const uint64_t found = store_->check_all(lost);
    if (found == 0) fail("nothing is found after it was stored anew");
    store_->close();
    if (const auto again = store_->open(); !again) return fail("no second start: " + again.error().message);
    store_->check_all(lost);
    store_->close();
  }

  void refuses(Code code, const char* figure) {
    findings_.count(figure);
    findings_.count("clear_refusals");
    const auto opened = store_->open();
    if (opened) return fail("opened what it has to refuse");
    if (opened.error().error.code != code)
      fail(fmt::format("refused as {}: {}", to_string(opened.error().error.code), opened.error().message));
    if (opened.error().message.find(directory_.string()) == std::string::npos)
      fail("the refusal does not name the directory: " + opened.error().message);
    if (code == Code::kPermission) fs::permissions(directory_, fs::perms::owner_all);
  }

  void add_junk() {
    for (uint64_t i = 0; i < kJunkFiles; i++) {
      std::string name(1 + random_.below(255), 'x');
      for (char& c : name) {
        c = static_cast<char>(1 + random_.below(255));
        if (c == '/' || c == '.') c = '_';
      }
      std::ofstream(directory_ / name) << "junk";
    }
    starts("junk_directories");
  }

  // Both copies of another version, whole: the one refusal that names two versions.
  void change_version() {
    std::fstream file(directory_ / disk::kSuperblockName, std::ios::binary | std::ios::in | std::ios::out);
    for (const uint64_t offset : {uint64_t{0}, disk::kPage}) {
      std::array<std::byte, disk::kPage> page{};
      file.seekg(static_cast<std::streamoff>(offset));
      file.read(reinterpret_cast<char*>(page.data()), page.size());
      disk::Superblock superblock;
      std::memcpy(&superblock, page.data(), sizeof superblock);
      superblock.version++;
      disk::seal(superblock, page);
      file.seekp(static_cast<std::streamoff>(offset));
      file.write(reinterpret_cast<const char*>(page.data()), page.size());
    }
    file.close();
    refuses(Code::kIncompatible, "other_versions");
  }

  void refuse_foreign() {
    fs::create_directories(directory_);
    std::ofstream(directory_ / "letter.txt") << "not a store";
    refuses(Code::kForeign, "foreign_directories");
    if (!fs::exists(directory_ / "letter.txt") || fs::exists(directory_ / disk::kSuperblockName))
      fail("touched a foreign directory");
  }

  const uint64_t number_;
  std::string context_;
  base::Random random_;
  const fs::path directory_;
  Findings findings_;
  std::unique_ptr<RealStore> store_;
  std::map<uint32_t, BlockLocation> locations_;
};

}  // namespace

std::string garbage_real_replay(const RowOptions& options, uint64_t number) {
  return fmt::format("terrace-lab run --row 7 --seed {} --count 1{}", number,
                     options.directory.empty() ? "" : " --dir " + options.directory);
}

Findings garbage_real_case(const RowOptions& options, uint64_t number, const std::string& replay) {
  const ScratchDirectory scratch(options.directory, fmt::format("garbage.{}", number));
  Findings found = run_apart(kCaseLimit, replay, [&] {
    if (::geteuid() == 0) {
      if (const auto why = become_user(kUser, scratch.path()); !why.empty()) {
        Findings skipped;
        skipped.count("cases_skipped");
        return skipped;
      }
    }
    return RealCase(options, number, scratch.path()).run();
  });
  for (auto& failure : found.failures) failure += "; replay: " + replay;
  Findings findings;
  findings.count("real_cases");
  findings.add(found);
  return findings;
}

}  // namespace terrace::lab
