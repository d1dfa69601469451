#include "lab/rows/garbage.h"

#include <algorithm>
#include <array>
#include <iterator>

#include <fmt/format.h>

#include "base/bytes.h"
#include "io/sim/sim_file_system.h"
#include "lab/kit/specimen.h"
#include "lab/rows/garbage_real.h"
#include "record/record.h"
#include "tier/disk/layout.h"

namespace terrace::lab {
namespace {

namespace disk = tier::disk;

// Two specimens, each cut at every place there is; a quarter of the cases is garbage.
constexpr uint64_t kFullCases = 24'000;
constexpr uint64_t kCasesPerSlice = 100;
constexpr uint64_t kCasesPerSpecimen = 12'000;
constexpr uint64_t kCutsOfFour = 3;
constexpr uint64_t kCutsMax = kCasesPerSpecimen / 4 * kCutsOfFour;
constexpr uint64_t kFirstReal = 1'000'000;  // numbers of the cases in real directories
constexpr uint64_t kStride = 7919;          // prime: a tenth of the cases is a tenth of every file's cuts
constexpr uint64_t kBigFile = 40 * base::kKiB;

struct Cut {
  std::string path;
  uint64_t length;
};

class Cases {
 public:
  Cases(uint64_t first, uint64_t count)
      : first_(first), count_(count), specimen_(specimen_options(first)), cuts_(all_cuts()) {}

  Findings run() {
    findings_.count("cases", 0);
    findings_.count("checked", 0);
    for (uint64_t number = first_; number < first_ + count_; number++) {
      may_miss_.clear();
      must_miss_.clear();
      specimen_.restore();
      const std::string what = spoil(number);
      findings_.count("cases");
      specimen_.examine(may_miss_, must_miss_, findings_, fmt::format("case {} ({}): ", number, what));
    }
    go_on();
    findings_.count("max_cuts_of_one", cuts_.size());
    if (cuts_.size() > kCutsMax) findings_.fail("more places to cut at than cases");
    for (auto& failure : findings_.failures) {
      failure +=
          fmt::format("; replay: terrace-lab run --row 7 --seed {} --count {} --processes 1", first_, count_);
    }
    return std::move(findings_);
  }

 private:
  static SpecimenOptions specimen_options(uint64_t first) {
    const uint64_t which = first / kCasesPerSpecimen;
    const SizeMix mix = which % 2 == 0 ? SizeMix::kTiny : SizeMix::kFew;
    return {.seed = 1 + 25 * which, .catalog_seed = 1 + which, .mix = mix, .bytes_max = 4000};
  }

  // Every page of every file; every byte of the last record of a data file and of the last entry of a table.
  std::vector<Cut> all_cuts() const {
    std::vector<Cut> cuts;
    for (const auto& [path, bytes] : specimen_.image()) {
      for (uint64_t at = 0; at < bytes.size(); at += base::kPage) cuts.push_back({path, at});
    }
    const auto last = std::ranges::max_element(specimen_.locations(), {}, [](const auto& entry) {
      return std::pair(entry.second.segment, entry.second.record_offset);
    });
    const Specimen::Location& where = last->second;
    const uint64_t record = record::record_bytes(specimen_.catalog()[last->first].bytes);
    for (uint64_t at = 1; at < record; at++) cuts.push_back({where.data, where.record_offset + at});
    for (uint64_t at = 1; at < sizeof(disk::SlotEntry); at++)
      cuts.push_back({where.table, where.entry_offset + at});
    return cuts;
  }

  std::string spoil(uint64_t number) {
    const uint64_t place = number % kCasesPerSpecimen * kStride % kCasesPerSpecimen;
    base::Random random(number ^ 0x6A5BA6E);
    if (place % 4 < kCutsOfFour) {
      const uint64_t cut = place / 4 * kCutsOfFour + place % 4;
      return cut_file(cuts_[cut % cuts_.size()]);
    }
    const uint64_t times = random.one_in(4) ? 1 + random.below(4) : 1;
    std::string what;
    for (uint64_t i = 0; i < times; i++) what += (i == 0 ? "" : ", ") + add_garbage(random);
    if (times > 1) may_miss_.merge(must_miss_);  // one kind may have undone another
    if (times > 1) must_miss_.clear();
    return what;
  }

  // --- what a cut or lost file takes with it

  void lose_beyond(const std::string& path, uint64_t length) {
    for (const auto& [block, where] : specimen_.locations()) {
      const uint64_t payload_end =
          where.record_offset + record::kHeaderBytes + specimen_.catalog()[block].bytes;
      const uint64_t record_end =
          where.record_offset + record::record_bytes(specimen_.catalog()[block].bytes);
      const bool header_of_segment = where.table == path && length < base::kPage;
      const bool entry = where.table == path && length < where.entry_offset + sizeof(disk::SlotEntry);
      const bool payload = where.data == path && length < payload_end;
      const bool padding = where.data == path && length < record_end;
      if (header_of_segment || entry || payload) must_miss_.insert(block);
      if (padding) may_miss_.insert(block);
    }
  }
  void replace_all(const std::string& path) { lose_beyond(path, 0); }

  std::string cut_file(const Cut& cut) {
    const auto& bytes = specimen_.image().at(cut.path);
    (void)specimen_.machine().disk().replace(cut.path, std::span(bytes).first(cut.length));
    lose_beyond(cut.path, cut.length);
    findings_.count("cuts");
    return fmt::format("{} cut at {}", cut.path, cut.length);
  }

  // --- garbage

  std::string add_garbage(base::Random& random) {
    switch (random.below(6)) {
      case 0:
        return lose_file(random);
      case 1:
        return put_bytes(any_path(random), {}, "emptied_files", "empty");
      case 2:
        return put_bytes(any_path(random), noise(random, random.below(kBigFile)), "random_files", "random");
      case 3:
        return swap_segments(random);
      case 4:
        return lengthen(random);
      default:
        return add_file(random);
    }
  }

  std::string lose_file(base::Random& random) {
    const std::string path = any_path(random);
    (void)io::SimFileSystem(specimen_.machine().disk()).remove(path);
    replace_all(path);
    findings_.count("missing_files");
    return path + " is missing";
  }

  std::string put_bytes(const std::string& path, const std::vector<std::byte>& bytes,
                        const std::string& figure, std::string_view what) {
    (void)specimen_.machine().disk().replace(path, bytes);
    replace_all(path);
    findings_.count(figure);
    return fmt::format("{} is {}", path, what);
  }

  // One segment's file in another's place, or in that of none.
  std::string swap_segments(base::Random& random) {
    const std::string from = any_segment_path(random), to = any_segment_path(random);
    const auto number = static_cast<uint32_t>(random.below(30));
    const std::string nowhere =
        Specimen::directory() + "/" +
        (from.ends_with(".data") ? disk::data_name(number) : disk::table_name(number));
    const std::string& target = random.one_in(2) ? to : nowhere;
    if (target != from) {
      (void)specimen_.machine().disk().replace(target, specimen_.image().at(from));
      replace_all(target);
    }
    findings_.count("swapped_files");
    return fmt::format("{} in place of {}", from, target);
  }

  // A longer file than was written: the rest of it is noise.
  std::string lengthen(base::Random& random) {
    const std::string path = any_path(random);
    auto bytes = specimen_.image().at(path);
    const auto more = noise(random, 1 + random.below(kBigFile));
    bytes.insert(bytes.end(), more.begin(), more.end());
    (void)specimen_.machine().disk().replace(path, bytes);
    // A table may end up longer than a segment has room for, and is then not believed.
    for (const auto& [block, where] : specimen_.locations()) {
      if (where.table == path) may_miss_.insert(block);
    }
    findings_.count("lengthened_files");
    return path + " is longer";
  }

  std::string add_file(base::Random& random) {
    const std::string name = garbage_name(random);
    const std::string path = Specimen::directory() + "/" + name;
    if (!specimen_.image().contains(path))
      (void)specimen_.machine().disk().replace(path, noise(random, random.below(kBigFile)));
    findings_.count("extra_files");
    return fmt::format("an extra file of {} characters", name.size());
  }

  static std::string garbage_name(base::Random& random) {
    constexpr std::array kNames{"000099.data",
                                "000099.slots",
                                "999999.data",
                                "16777216.slots",
                                "4294967296.data",
                                "-1.slots",
                                "0.data",
                                "000000.data.old",
                                "000001.slots~",
                                "superblock.bak",
                                ".data",
                                ".slots",
                                "1e3.data",
                                "+00001.data",
                                "00000000000000001.data",
                                "99999999999999999999.slots",
                                "000002.data.slots",
                                "SUPERBLOCK",
                                "namespaces2",
                                "lost+found2"};
    if (random.one_in(2)) return kNames[random.below(kNames.size())];
    std::string name(1 + random.below(255), 'x');
    for (char& c : name) {
      c = static_cast<char>(1 + random.below(255));
      if (c == '/' || c == '.') c = '_';
    }
    return name;
  }

  // --- which

  static std::vector<std::byte> noise(base::Random& random, uint64_t bytes) {
    std::vector<std::byte> noise(bytes);
    for (auto& one : noise) one = static_cast<std::byte>(random.next());
    return noise;
  }
  const std::string& any_path(base::Random& random) const {
    const Image& image = specimen_.image();
    return std::next(image.begin(), static_cast<int64_t>(random.below(image.size())))->first;
  }
  std::string any_segment_path(base::Random& random) const {
    const auto& locations = specimen_.locations();
    const auto at = std::next(locations.begin(), static_cast<int64_t>(random.below(locations.size())));
    return random.one_in(2) ? at->second.data : at->second.table;
  }

  // What is left of the last case is asked for and stored anew: then all of it is found.
  void go_on() {
    specimen_.live(findings_, [this](Client& client) {
      for (uint32_t block = 0; block < specimen_.catalog().size(); block++)
        client.check_block(block, std::chrono::seconds(10));
      for (uint32_t chain = 0; chain < specimen_.catalog().chains(); chain++)
        specimen_.store_chain(client, chain);
    });
    specimen_.examine({}, {}, findings_, fmt::format("after case {}, stored anew: ", first_ + count_ - 1));
    findings_.count("stored_anew");
  }

  const uint64_t first_, count_;
  Specimen specimen_;
  const std::vector<Cut> cuts_;
  std::set<uint32_t> may_miss_, must_miss_;
  Findings findings_;
};

}  // namespace

Findings garbage_cases(uint64_t first, uint64_t count) {
  return Cases(first, count).run();
}

Findings run_garbage(const RowOptions& options) {
  Findings findings;
  if (options.seed < kFirstReal) {
    findings = run_in_slices(options, 7, kFullCases, kCasesPerSlice, garbage_cases);
    if (options.count) return findings;
  }
  WorkerOptions workers = workers_of(options, 7);
  workers.first = options.seed < kFirstReal ? 0 : options.seed - kFirstReal;
  workers.count = count_of(options, kRealGarbageCases);
  workers.replay = [&](uint64_t number) { return garbage_real_replay(options, kFirstReal + number); };
  findings.add(run_jobs(workers, [&](uint64_t number) {
    return garbage_real_case(options, number, garbage_real_replay(options, kFirstReal + number));
  }));
  return findings;
}

}  // namespace terrace::lab
