#include "lab/rows/limits_real.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/random.h"
#include "io/uring_engine.h"
#include "lab/kit/apart.h"
#include "lab/kit/real_store.h"

namespace terrace::lab {
namespace {

constexpr uint64_t kFullCases = 240;
constexpr std::chrono::seconds kCaseLimit{60};
constexpr uint32_t kFirstUser = 61'000;  // one a case: threads are counted by user

// What goes wrong between kernel and engine: drawn on the engine's thread, counted by ours.
struct Odds {
  explicit Odds(uint64_t seed) : random(seed) {}
  base::Random random;
  std::atomic<uint64_t> injected{0};
};

// One case, in a process of its own that nobody uses afterwards.
struct Scene {
  uint64_t number;
  uint64_t round;  // how many cases of its kind come before it
  base::Random random;
  Findings findings{};
  RealStoreOptions store{};
  std::string context{};

  void fail(std::string_view what) { findings.fail(fmt::format("{}{}", context, what)); }
};

// From now on the call fails with `error`, in this thread and those it starts.
bool refuse_call(int number, int error) {
  const auto errno_bits = static_cast<uint32_t>(error) & SECCOMP_RET_DATA;
  std::array<sock_filter, 4> program{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(number), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | errno_bits),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  sock_fprog filter{.len = program.size(), .filter = program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

void limit(int resource, uint64_t value) {
  const rlimit both{.rlim_cur = value, .rlim_max = value};
  (void)::setrlimit(static_cast<__rlimit_resource_t>(resource), &both);
}

// What a store that opened has to do, or how it has to refuse. Returns whether it opened.
bool use(RealStore& store, Scene& scene, bool may_refuse, bool nothing_owed) {
  if (const auto opened = store.open(); !opened) {
    scene.findings.count("refused");
    if (!may_refuse) scene.fail("did not open: " + opened.error().message);
    if (opened.error().message.empty()) scene.fail("refused without a reason");
    return false;
  }
  scene.findings.count("opened");
  store.store_all();
  const uint64_t found = store.check_all({}, nothing_owed);
  scene.findings.count("found", found);
  if (found == 0 && !nothing_owed) scene.fail("nothing that was stored is found");
  return true;
}

bool use_store(Scene& scene, bool may_refuse, bool nothing_owed) {
  RealStore store(scene.store, scene.findings, scene.context);
  return use(store, scene, may_refuse, nothing_owed);
}

// --- io_uring is refused

void ring_refused(Scene& scene) {
  constexpr std::array kErrors{EPERM, ENOSYS, ENOMEM};
  if (!refuse_call(SYS_io_uring_setup, kErrors[scene.random.below(kErrors.size())]))
    return scene.fail("no seccomp filter");
  RealStore store(scene.store, scene.findings, scene.context);
  if (const auto opened = store.open(); !opened) return scene.fail("did not open: " + opened.error().message);
  const std::string engine = store.disk().engine;
  if (!engine.starts_with("psync") || engine.find("io_uring") == std::string::npos)
    scene.fail("does not say why it fell back: " + engine);
  store.store_all();
  scene.findings.count("found", store.check_all());
  scene.findings.count("fallbacks");
}

void ring_refused_and_insisted_on(Scene& scene) {
  if (!refuse_call(SYS_io_uring_setup, EPERM)) return scene.fail("no seccomp filter");
  scene.store.io = IoChoice::kUring;
  if (use_store(scene, true, false)) scene.fail("opened without the engine that was asked for");
}

// --- io_uring is short of something

// The store on such an engine: whatever it meets, it has to do all its work.
void use_ring(Scene& scene, io::UringOptions options, const Odds* odds) {
  const auto made = std::make_shared<io::UringOptions>(std::move(options));
  scene.store.engine = [made] { return io::make_uring_engine(std::move(*made)); };
  use_store(scene, false, false);
  if (odds == nullptr) return;
  const uint64_t injected = odds->injected.load();
  scene.findings.count("injected", injected);
  if (injected == 0) scene.fail("nothing was injected");
}

// EAGAIN, EBUSY and EINTR from io_uring_enter, in runs of up to 50.
void enter_refused(Scene& scene) {
  const auto odds = std::make_shared<Odds>(scene.random.next());
  io::UringOptions options;
  options.refuse_enter = [odds, left = uint64_t{0}, error = 0]() mutable {
    constexpr std::array kErrors{-EAGAIN, -EBUSY, -EINTR};
    if (left == 0 && !odds->random.one_in(20)) return 0;
    if (left == 0) {
      left = 1 + odds->random.below(50);
      error = kErrors[odds->random.below(kErrors.size())];
    }
    left--;
    odds->injected++;
    return error;
  };
  use_ring(scene, std::move(options), odds.get());
}

// EAGAIN and EINTR of transfers, and only a part of what was asked for.
void transfers_short(Scene& scene) {
  const auto odds = std::make_shared<Odds>(scene.random.next());
  io::UringOptions options;
  options.piece_max = base::kPage * (1 + scene.random.below(4));
  options.change_result = [odds](int32_t returned) -> int32_t {
    if (returned <= 0 || !odds->random.one_in(5)) return returned;
    constexpr auto kPage = static_cast<int32_t>(base::kPage);
    const uint64_t kind = odds->random.below(3);
    if (kind == 2 && returned < 2 * kPage) return returned;
    odds->injected++;
    return kind == 0 ? -EAGAIN : kind == 1 ? -EINTR : returned / kPage / 2 * kPage;
  };
  use_ring(scene, std::move(options), odds.get());
}

// More completions than the ring holds: the kernel keeps them back until it is asked.
void completions_overflow(Scene& scene) {
  io::UringOptions options;
  options.depth = 32;
  options.sq_entries = 2;
  options.cq_entries = 4;
  use_ring(scene, std::move(options), nullptr);
}

// --- limits of the process

void few_descriptors(Scene& scene) {
  limit(RLIMIT_NOFILE, 5 + scene.random.below(24));
  use_store(scene, true, true);
}

void no_descriptor(Scene& scene) {
  limit(RLIMIT_NOFILE, 3);
  use_store(scene, true, true);
}

void few_threads(Scene& scene) {
  const auto user = static_cast<uint32_t>(kFirstUser + scene.number % 4000);
  if (const auto why = become_user(user, std::filesystem::path(scene.store.directory).parent_path());
      !why.empty()) {
    scene.findings.count("cases_skipped");
    return;
  }
  if (scene.random.one_in(2)) scene.store.io = IoChoice::kPsync;
  limit(RLIMIT_NPROC, 1 + scene.random.below(7));
  use_store(scene, true, true);  // a ring without threads of its own fails its writes
}

// Files may be as long as this: a start that needs more says so, one that needs less goes on. The start after
// it finds what was laid out by half, and has no more room for the other half.
void small_files(Scene& scene) {
  constexpr std::array<uint64_t, 6> kSizes{
      0, base::kPage, 2 * base::kPage, 64 * base::kKiB, base::kMiB, 4 * base::kMiB + 64 * base::kKiB};
  if (scene.random.one_in(2)) scene.store.io = IoChoice::kPsync;
  limit(RLIMIT_FSIZE, kSizes[scene.round % kSizes.size()]);
  RealStore store(scene.store, scene.findings, scene.context);
  if (!use(store, scene, true, true)) return;
  store.close();
  use(store, scene, false, true);
}

// A store whose files are longer than its process may write.
void files_shrink(Scene& scene) {
  if (scene.random.one_in(2)) scene.store.io = IoChoice::kPsync;
  RealStore store(scene.store, scene.findings, scene.context);
  if (!store.open()) return scene.fail("did not open");
  store.store_all();
  store.close();
  limit(RLIMIT_FSIZE, 64 * base::kKiB);
  if (const auto again = store.open(); !again)
    return scene.fail("did not open again: " + again.error().message);
  scene.findings.count("opened");
  scene.findings.count("found", store.check_all());
  for (uint32_t chain = 0; chain < store.catalog().chains(); chain += 2) {
    Operation remove;
    remove.kind = OpKind::kRemove;
    remove.chain = chain;
    remove.count = static_cast<uint32_t>(store.catalog().chain(chain).size());
    store.client().run(remove);
  }
  store
      .store_all();  // beyond the limit writes fail, and no segment can be laid out: what is there makes room
  scene.findings.count("found", store.check_all({}, true));
}

void no_locked_memory(Scene& scene) {
  const auto user = static_cast<uint32_t>(kFirstUser + scene.number % 4000);
  if (const auto why = become_user(user, std::filesystem::path(scene.store.directory).parent_path());
      !why.empty()) {
    scene.findings.count("cases_skipped");
    return;
  }
  limit(RLIMIT_MEMLOCK, 0);
  use_store(scene, false, false);
}

struct Case {
  const char* name;
  void (*run)(Scene& scene);
};
constexpr std::array<Case, 12> kCases{{
    {"ring_refused", ring_refused},
    {"few_threads", few_threads},
    {"small_files", small_files},
    {"enter_refused", enter_refused},
    {"few_descriptors", few_descriptors},
    {"completions_overflow", completions_overflow},
    {"ring_insisted_on", ring_refused_and_insisted_on},
    {"transfers_short", transfers_short},
    {"files_shrink", files_shrink},
    {"no_descriptor", no_descriptor},
    {"few_more_threads", few_threads},
    {"no_locked_memory", no_locked_memory},
}};

std::string replay(const RowOptions& options, uint64_t number) {
  return fmt::format("terrace-lab run --row 9 --seed {} --count 1{}", number,
                     options.directory.empty() ? "" : " --dir " + options.directory);
}

}  // namespace

Findings limits_case(const RowOptions& options, uint64_t number) {
  const Case& one = kCases[number % kCases.size()];
  const ScratchDirectory scratch(options.directory, fmt::format("limits.{}", number));
  Findings found = run_apart(kCaseLimit, fmt::format("{}: {}", one.name, replay(options, number)), [&] {
    Scene scene{.number = number, .round = number / kCases.size(), .random = base::Random(number ^ 0x11111)};
    scene.context = fmt::format("case {} ({}): ", number, one.name);
    scene.store.directory = scratch.path() / "store";
    scene.store.catalog.seed = number;
    scene.store.verbose = options.verbose;
    one.run(scene);
    for (auto& failure : scene.findings.failures) failure += "; replay: " + replay(options, number);
    return std::move(scene.findings);
  });
  Findings findings;
  findings.count("cases");
  findings.count(one.name);
  findings.add(found);
  return findings;
}

Findings run_limits_real(const RowOptions& options) {
  WorkerOptions workers = workers_of(options, 9);
  workers.count = count_of(options, kFullCases);
  workers.replay = [&](uint64_t number) { return replay(options, number); };
  return run_jobs(workers, [&](uint64_t number) { return limits_case(options, number); });
}

}  // namespace terrace::lab
