#include "lab/rows/power_cut.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "io/sim/sim_file_system.h"
#include "lab/kit/crash_states.h"
#include "lab/rows/recorded_store.h"

namespace terrace::lab {
namespace {

constexpr uint64_t kShort = 1 + kSteps + kSteps * kSteps + kSteps * kSteps * kSteps;  // up to three steps
constexpr uint64_t kLong = 115;
constexpr uint64_t kFullWorkloads = kShort + kLong;
constexpr uint64_t kStatesFull = 20'000;
constexpr size_t kPointsMax = 24;    // of a recording
constexpr size_t kOutcomesMax = 24;  // of a point
constexpr uint64_t kWorkOnEvery = 8;
constexpr Timeout kTimeout = std::chrono::seconds(30);

// Workloads in an order that mixes lengths, so that a part of them is a fair sample.
std::vector<Step> steps_of(uint64_t workload) {
  std::vector<Step> steps;
  const uint64_t number = workload * 97 % kFullWorkloads;
  if (number < kShort) {
    uint64_t rest = number, same_length = 1, length = 0;
    for (; rest >= same_length; length++, same_length *= kSteps) rest -= same_length;
    for (; length > 0; length--, rest /= kSteps) steps.push_back(static_cast<Step>(rest % kSteps));
    return steps;
  }
  base::Random random(workload ^ 0x9077E6);
  const uint64_t length = 4 + random.below(12);
  for (uint64_t i = 0; i < length; i++) steps.push_back(static_cast<Step>(random.below(kSteps)));
  return steps;
}

uint64_t hash_of(const Image& image, const std::vector<Owed>& owed) {
  uint64_t hash = 0;
  for (const auto& [path, bytes] : image) {
    hash = base::xxh3_64(bytes, base::xxh3_64(std::as_bytes(std::span(path)), hash));
  }
  for (const Owed& one : owed) {
    const uint64_t words[] = {one.begun, one.gone, one.must_be_found};
    hash = base::xxh3_64(std::as_bytes(std::span(words)), hash);
  }
  return hash;
}

// The store on one disk that a power cut left.
class Aftermath {
 public:
  Aftermath(const RecordedStore& store, uint64_t seed, const Image& image, const std::vector<Owed>& owed,
            bool works_on, Findings& findings, std::string context)
      : catalog_(store.catalog()),
        owed_(owed),
        findings_(findings),
        context_(std::move(context)),
        machine_(options(store, seed, works_on)),
        expected_(catalog_.size()),
        random_(seed) {
    io::SimFileSystem files(machine_.disk());
    (void)files.make_directory(RecordedStore::directory());
    for (const auto& [path, bytes] : image) {
      if (!machine_.disk().replace(path, bytes)) fail("the image cannot be put in place");
    }
    for (uint32_t block = 0; block < catalog_.size(); block++) expect(block);
  }

  // Everything synced is there, nothing is wrong, and the start succeeds.
  void examine() {
    if (!open(false)) return;
    for (uint32_t block = 0; block < catalog_.size(); block++) {
      const Writer found = client_->check_block(block, kTimeout).value_or(0);
      findings_.count("checked");
      if (owed_[block].must_be_found) findings_.count("owed");
      if (found == 0 && owed_[block].must_be_found) {
        fail(fmt::format("block {} was synced and is missing", block));
      }
      expected_.settle(block, found);
    }
  }

  // Damage may show later: slots are used again, and the process dies or loses its power once more.
  void work_on() {
    if (client_ == nullptr) return;
    findings_.count("worked_on");
    client_->set_complete(true);
    client_->set_power_was_cut();
    for (int i = 0; i < 3; i++) run(OpKind::kRemove, static_cast<uint32_t>(random_.below(catalog_.chains())));
    for (uint32_t chain = 0; chain < catalog_.chains(); chain++) run(OpKind::kStore, chain);
    if (random_.one_in(2)) run(OpKind::kSync, 0);
    const bool power = random_.one_in(2);
    if (power) {
      machine_.cut_power(random_);
      for (uint32_t block = 0; block < catalog_.size(); block++) expected_.forgive(block, 0);
    } else {
      machine_.kill();
    }
    end();
    if (!open(!power)) return;
    client_->set_power_was_cut();
    for (uint32_t block = 0; block < catalog_.size(); block++) (void)client_->check_block(block, kTimeout);
  }

  ~Aftermath() {
    if (client_ == nullptr) return;
    machine_.kill();
    end();
  }

 private:
  static MachineOptions options(const RecordedStore& store, uint64_t seed, bool roomy) {
    (void)store;
    MachineOptions options = RecordedStore::machine_options(seed);
    options.seed ^= 0xAF7E6;  // another boot
    if (roomy) options.disk.capacity_bytes += 32 * options.disk.segment_bytes;
    return options;
  }

  void expect(uint32_t block) {
    const Owed& owed = owed_[block];
    for (Writer writer = 0; writer < owed.begun; writer++) {
      if (writer == owed.gone && writer > 0) remove(block);
      expected_.begin_write(block);
    }
    if (owed.gone == owed.begun && owed.gone > 0) remove(block);
  }
  void remove(uint32_t block) {
    expected_.begin_remove(block);
    expected_.end_remove(block);
  }

  bool open(bool complete) {
    const auto started = machine_.start();
    if (!started) {
      fail(fmt::format("the start failed: {}", started.error().message));
      return false;
    }
    if (!machine_.store().wait_recovered(kTimeout)) fail("recovery did not end");
    if (!machine_.store().open_namespace(catalog_.space(0))) fail("the namespace cannot be opened");
    ClientOptions how;
    how.mode = machine_.options().store.l1.mode;
    how.complete = complete;
    how.pristine = false;
    how.context = context_;
    client_ =
        std::make_unique<Client>(machine_.store(), catalog_, expected_, machine_.time(), findings_, how);
    return true;
  }

  void run(OpKind kind, uint32_t chain) {
    Operation operation;
    operation.kind = kind;
    operation.chain = chain;
    operation.count = static_cast<uint32_t>(catalog_.chain(chain).size());
    operation.pick = 1;
    client_->run(operation);
    for (int i = 0; i < 1000 && (i == 0 || client_->owed() > 0); i++) {
      machine_.time().run_for(std::chrono::microseconds(100));
      client_->poll();
    }
  }

  void end() {
    client_->abandon();
    client_.reset();
    machine_.bury();
  }

  void fail(const std::string& what) { findings_.fail(context_ + what); }

  const Catalog& catalog_;
  const std::vector<Owed>& owed_;
  Findings& findings_;
  const std::string context_;
  Machine machine_;
  ExpectedState expected_;
  base::Random random_;
  std::unique_ptr<Client> client_;
};

class PowerCuts {
 public:
  explicit PowerCuts(uint64_t workload)
      : workload_(workload),
        steps_(steps_of(workload)),
        random_(workload ^ 0xC47),
        store_(workload, steps_, steps_.size() <= 3),
        model_(store_.recording()) {}

  Findings run() {
    for (const char* figure : {"workloads", "states"}) findings_.count(figure, 0);
    findings_.count("workloads");
    findings_.add(store_.findings());
    const std::set<size_t> points = choose_points();
    for (size_t position = 0;; position++) {
      if (points.contains(position)) cut_at(position);
      if (position == store_.end()) break;
      model_.apply(position);
    }
    return std::move(findings_);
  }

 private:
  // Short workloads: the events of the last step, all of them unless there are too many.
  std::set<size_t> choose_points() {
    const size_t begin = steps_.size() <= 3 ? store_.last_step() : 0, end = store_.end();
    std::set<size_t> points{end};
    if (end - begin < kPointsMax) {
      for (size_t position = begin; position < end; position++) points.insert(position);
    }
    while (points.size() < std::min(kPointsMax, end - begin))
      points.insert(begin + random_.below(end - begin));
    return points;
  }

  void cut_at(size_t position) {
    findings_.count("points");
    const auto owed = store_.owed_at(position);
    const auto units = model_.units();
    findings_.count("max_unsafe", units.size());
    for (const auto& outcomes : choose_outcomes(units, kOutcomesMax, random_)) {
      const Image image = model_.image(units, outcomes);
      if (!seen_.insert(hash_of(image, owed)).second) continue;
      const uint64_t state = findings_.counted("states");
      findings_.count("states");
      const bool works_on = (workload_ + state) % kWorkOnEvery == 0;
      Aftermath aftermath(
          store_, workload_, image, owed, works_on, findings_,
          fmt::format("workload {} ({}) after event {} state {}: ", workload_, described(), position, state));
      aftermath.examine();
      if (works_on) aftermath.work_on();
    }
  }

  std::string described() const {
    std::string text;
    for (const Step step : steps_) text += fmt::format("{}{}", text.empty() ? "" : " ", to_string(step));
    return text;
  }

  const uint64_t workload_;
  const std::vector<Step> steps_;
  base::Random random_;
  RecordedStore store_;
  CrashModel model_;
  std::set<uint64_t> seen_;
  Findings findings_;
};

}  // namespace

Findings power_cut_workloads(uint64_t first, uint64_t count) {
  Findings findings;
  for (uint64_t workload = first; workload < first + count; workload++) {
    findings.add(PowerCuts(workload).run());
  }
  for (auto& failure : findings.failures) {
    failure +=
        fmt::format("; replay: terrace-lab run --row 4 --seed {} --count {} --processes 1", first, count);
  }
  return findings;
}

Findings run_power_cut(const RowOptions& options) {
  Findings findings = run_in_slices(options, 4, kFullWorkloads, 5, power_cut_workloads);
  const uint64_t wanted = options.quick ? kStatesFull / 10 : kStatesFull;
  if (!options.count && findings.counted("states") < wanted) {
    findings.fail(fmt::format("{} states were checked, {} were to be", findings.counted("states"), wanted));
  }
  return findings;
}

}  // namespace terrace::lab
