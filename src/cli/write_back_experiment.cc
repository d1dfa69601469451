#include "cli/write_back_experiment.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "cli/bench_process.h"
#include "cli/bench_scratch.h"
#include "cli/open_store.h"

namespace terrace::cli {
namespace {

constexpr const char* kMixed = "mixed";

struct Query {
  double ms = 0;
  std::string source;
  uint64_t wrong = 0;
};

struct Samples {
  std::vector<double> first_ms, second_ms;
};

std::unexpected<Failure> cannot(std::string_view what, const Error& error) {
  return failure(error.code, fmt::format("{}: {}", what, to_string(error)), error.sys_errno);
}

StoreOptions options_of(const WriteBackPlan& plan, WriteBack write_back) {
  StoreOptions options;
  // Holds the chain twice: what is not there the second time was not kept.
  options.l1.budget = std::max(2 * plan.chain.bytes(), uint64_t{64} * base::kMiB);
  options.write_back = write_back;
  TierOptions& shared = options.tiers.emplace_back();
  shared.kind = TierOptions::Kind::kMock;
  shared.name = kSharedName;
  shared.mock.bytes_per_second = plan.bytes_per_second;
  shared.mock.latency = plan.latency;
  shared.mock.backing = plan.backing;
  shared.mock.capacity = 2 * options.l1.budget;
  return options;
}

// Waits for the one kResult of an operation that reports to the queue.
Outcome<void> wait_result(CompletionQueue& queue) {
  std::array<Completion, 1> event;
  if (queue.wait(event, kOperationTimeout) == 1) return {};
  return failure(Code::kDeadline, "a query did not end in time");
}

Outcome<void> find_elsewhere(Store& store, const BenchChain& chain) {
  const auto queue = store.make_queue();
  auto running = store.lookup_async(chain.keys, kOperationTimeout, {queue, 0});
  if (!running) return cannot("lookup_async", running.error());
  if (auto ended = wait_result(*queue); !ended) return ended;
  const auto answer = running->take();
  if (answer && answer->found == chain.keys.size()) return {};
  return failure(Code::kUnavailable, fmt::format("lookup_async found {} of {} blocks of the other process",
                                                 answer ? answer->found : 0, chain.keys.size()));
}

Outcome<Blocks> blocks_of(Result<Blocks> got) {
  if (!got) return cannot("get", got.error());
  return std::move(*got);
}

Outcome<Blocks> ask_get(Store& store, std::span<const Key> keys) {
  return blocks_of(store.get(keys));
}

Outcome<Blocks> ask_get_async(Store& store, std::span<const Key> keys) {
  const auto queue = store.make_queue();
  auto running = store.get_async(keys, {}, {queue, 0});
  if (!running) return cannot("get_async", running.error());
  if (auto ended = wait_result(*queue); !ended) return std::unexpected(ended.error());
  auto blocks = running->take();
  if (!blocks) return failure(Code::kInternal, "a get_async reported its result and had none");
  return std::move(*blocks);
}

// The get that an engine sends once the prefetch has ended takes what it brought.
Outcome<Blocks> ask_prefetch(Store& store, std::span<const Key> keys) {
  const auto queue = store.make_queue();
  const auto ticket = store.prefetch(keys, {}, {queue, 0});
  if (!ticket) return cannot("prefetch", ticket.error());
  if (auto ended = wait_result(*queue); !ended) return std::unexpected(ended.error());
  return blocks_of(store.get(keys, {.timeout = kDefaultTimeout, .write_back = {}, .ticket = &*ticket}));
}

struct Path {
  const char* name;
  Outcome<Blocks> (*ask)(Store&, std::span<const Key>);
};
constexpr std::array kPaths{Path{"get", ask_get}, Path{"get_async", ask_get_async},
                            Path{"prefetch", ask_prefetch}};

// By what the tier had to load: a prefetch's get finds everything in L1 in either case.
std::string source_of(uint64_t loads, size_t blocks) {
  if (loads == 0) return "l1";
  return loads == blocks ? kSharedName : kMixed;
}

Outcome<Query> query(Store& store, const BenchChain& chain, const Path& path) {
  const uint64_t loads = store.stats().tiers[1].loads;
  const auto begun = std::chrono::steady_clock::now();
  auto blocks = path.ask(store, chain.keys);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begun;
  if (!blocks) return std::unexpected(blocks.error());
  if (blocks->size() != chain.keys.size()) {
    return failure(Code::kUnavailable,
                   fmt::format("{}: block {} of {} is a miss: {}", path.name, blocks->size(),
                               chain.keys.size(), to_string(blocks->reasons().front())));
  }
  return Query{took.count(), source_of(store.stats().tiers[1].loads - loads, blocks->size()),
               count_wrong(chain, blocks->views())};
}

void note(std::string& source, const std::string& now) {
  source = source.empty() || source == now ? now : kMixed;
}

// A store of its own, so that nothing is local at first.
Outcome<void> run_round(const WriteBackPlan& plan, const Path& path, const EachBlock& each, WriteBackRow& row,
                        Samples& samples) {
  auto store =
      open_bench_store(options_of(plan, row.write_back ? WriteBack::kAlways : WriteBack::kNever), plan.chain);
  if (!store) return std::unexpected(store.error());
  if (auto found = find_elsewhere(**store, plan.chain); !found) return found;
  const auto first = query(**store, plan.chain, path);
  if (!first) return std::unexpected(first.error());
  if (auto ok = each(); !ok) return ok;
  const auto second = query(**store, plan.chain, path);
  if (!second) return std::unexpected(second.error());
  samples.first_ms.push_back(first->ms);
  samples.second_ms.push_back(second->ms);
  note(row.first_source, first->source);
  note(row.second_source, second->source);
  row.wrong += first->wrong + second->wrong;
  return each();
}

}  // namespace

Outcome<void> store_elsewhere(const WriteBackPlan& plan) {
  return in_another_process([&]() -> Outcome<void> {
    auto store = open_bench_store(options_of(plan, WriteBack::kAlways), plan.chain);
    if (!store) return std::unexpected(store.error());
    return store_chain(**store, plan.chain, SignalsWait::check);
  });
}

Outcome<std::vector<WriteBackRow>> run_write_back(const WriteBackPlan& plan, const EachBlock& each) {
  std::vector<WriteBackRow> rows;
  for (const Path& path : kPaths) {
    std::array<WriteBackRow, 2> both;
    std::array<Samples, 2> samples;
    for (uint32_t round = 0; round < plan.rounds; ++round) {
      for (const size_t with : {1, 0}) {
        both[with].path = path.name;
        both[with].write_back = with == 1;
        if (auto ran = run_round(plan, path, each, both[with], samples[with]); !ran) {
          return std::unexpected(ran.error());
        }
      }
    }
    for (const size_t with : {1, 0}) {
      both[with].first_ms = spread_of(samples[with].first_ms);
      both[with].second_ms = spread_of(samples[with].second_ms);
      rows.push_back(std::move(both[with]));
    }
  }
  return rows;
}

std::vector<std::string> broken_claims(const WriteBackRow& row) {
  std::vector<std::string> broken;
  const std::string name = fmt::format("{} {} write-back", row.path, row.write_back ? "with" : "without");
  const std::string expected = row.write_back ? "l1" : kSharedName;
  if (row.first_source != kSharedName) {
    broken.push_back(
        fmt::format("{}: the first query came from {}, not from {}", name, row.first_source, kSharedName));
  }
  if (row.second_source != expected) {
    broken.push_back(
        fmt::format("{}: the second query came from {}, not from {}", name, row.second_source, expected));
  }
  if (row.wrong > 0) broken.push_back(fmt::format("{}: {} blocks had wrong bytes", name, row.wrong));
  return broken;
}

}  // namespace terrace::cli
