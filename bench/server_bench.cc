#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <thread>

#include <terrace/client.h>

#include "base/bytes.h"
#include "base/copy.h"
#include "base/random.h"
#include "bench/echo.h"
#include "bench/forked.h"
#include "bench/measure.h"
#include "bench/micro.h"
#include "server/server.h"
#include "wire/fields.h"
#include "wire/key_lists.h"

namespace terrace::bench {
namespace {

constexpr uint64_t kSeries = 17;
constexpr uint64_t kChain = 256;
constexpr int kServerCpu = 0, kClientCpu = 1;

std::string socket_in(const std::string& directory) {
  return directory + "/run/socket";
}

void serve_store(const server::ServerOptions& options) {
  const auto server = need(server::Server::open(options), "server");
  server->run();
}

std::unique_ptr<Store> connect_to(const std::string& directory, const char* name) {
  const Stopwatch watch;
  for (;;) {
    auto store =
        connect({.socket = socket_in(directory), .name = name, .patience = std::chrono::seconds(30)});
    if (store) return std::move(*store);
    if (watch.seconds() > 20) throw CannotRun("server: " + store.error().message);
    std::this_thread::yield();
  }
}

// Whole, the first time, as all that follow of new prompts.
EchoSizes lookup_sizes(uint64_t keys) {
  flatbuffers::FlatBufferBuilder builder;
  wire::KeyListWriter lists;
  std::vector<Key> chain;
  for (uint64_t i = 0; i < keys; ++i) chain.push_back(nth_key(kSeries, i));
  wire::finish(builder, 1, wire::Body::Lookup,
               wire::CreateLookup(builder, lists.write(builder, chain)).Union());
  EchoSizes sizes;
  sizes.request = wire::frame_of(builder).size();
  builder.Clear();
  const auto where = builder.CreateVector(std::vector<uint16_t>(keys));
  const auto reasons = builder.CreateVector(std::vector<uint8_t>());
  wire::finish(builder, 1, wire::Body::Found,
               wire::CreateFound(builder, static_cast<uint32_t>(keys), where, reasons).Union());
  sizes.answer = wire::frame_of(builder).size();
  return sizes;
}

std::vector<Key> chain_of(uint64_t number) {
  std::vector<Key> keys(kChain);
  for (uint64_t i = 0; i < kChain; ++i) keys[i] = nth_key(kSeries, number * kChain + i);
  return keys;
}

void store_small_chains(Store& store, uint64_t chains) {
  for (uint64_t chain = 0; chain < chains; ++chain) {
    std::vector<BlockSpec> blocks;
    for (const Key& key : chain_of(chain)) blocks.push_back({.key = key, .bytes = 1});
    auto answers = need(store.reserve_wait({Key{}, {}, blocks}, std::chrono::seconds(60)), "reserve");
    std::vector<Reservation> reservations;
    for (auto& answer : answers) {
      if (answer.outcome != ReserveOutcome::kBuffer) throw CannotRun("the arena does not hold the blocks");
      reservations.push_back(std::move(answer.reservation));
    }
    need(store.commit(reservations), "commit");
  }
}

template <class Work>
double p50_us(uint64_t count, const Work& work, const std::function<void(uint64_t)>& prepare = {}) {
  std::vector<double> times;
  for (uint64_t i = 0; i < count; ++i) {
    if (prepare) prepare(i);
    const Stopwatch watch;
    work(i);
    times.push_back(watch.seconds() * 1e6);
  }
  return percentile(times, 0.5);
}

}  // namespace

// The round trip of a lookup of 256 keys, of a prompt that is new each time, and of one that was asked
// before.
void bench_server_lookup(const MicroOptions& options, const DirectoryOptions& directory, uint64_t blocks) {
  const EchoSizes sizes = lookup_sizes(kChain);
  std::filesystem::create_directories(directory.path);
  const std::string echo_path = directory.path + "/echo";
  server::ServerOptions serving;
  serving.socket = socket_in(directory.path);
  serving.store.l1.budget = base::round_up(blocks * 9 * base::kKiB, 64 * base::kMiB);
  serving.store.l1.largest_block = 4096;
  const Forked server([&] { serve_store(serving); }, kServerCpu);
  const Forked echo([&] { serve_echo(echo_path, sizes); }, kServerCpu);
  pin_to(kClientCpu);
  const auto store = connect_to(directory.path, "bench");
  const uint64_t chains = blocks / kChain;
  store_small_chains(*store, chains);
  EchoClient bare(echo_path, sizes);
  const uint64_t count = options.quick ? 1000 : 4000;
  const auto echoed = [&](uint64_t) { bare.ask(); };
  base::Random random(5);
  std::vector<Key> keys;
  const auto choose = [&](uint64_t) { keys = chain_of(random.below(chains)); };
  const auto new_prompt = [&](uint64_t) {
    if (need(store->lookup(keys), "lookup").found != kChain)
      throw CannotRun("a resident block was not found");
  };
  Pairs fresh{fmt::format("server.lookup.{}k_blocks.p50", blocks / 1000), "us", {}, {}};
  Pairs again{"server.lookup.same_prompt.p50", "us", {}, {}};
  const std::vector<Key> same = chain_of(0);
  const auto same_prompt = [&](uint64_t) { need(store->lookup(same), "lookup"); };
  (void)p50_us(count / 4, new_prompt, choose);
  (void)p50_us(count / 4, echoed);
  for (uint32_t run = 0; run < options.runs; ++run) {
    fresh.ours.push_back(p50_us(count, new_prompt, choose));
    fresh.theirs.push_back(p50_us(count, echoed));
    again.ours.push_back(p50_us(count, same_prompt));
    again.theirs.push_back(p50_us(count, echoed));
  }
  print_pairs(fresh);
  print_pairs(again);
}

namespace {

constexpr uint64_t kBatchBytes = 64 * base::kMiB;

// A client that stores batches of new blocks and gets them back, copying from and to memory of its own.
class CopyingClient {
 public:
  CopyingClient(const std::string& directory, uint64_t block, uint64_t series, const HugePool& source,
                const HugePool& target)
      : store_(connect_to(directory, "copying")),
        block_(block),
        series_(series),
        source_(source),
        target_(target) {}

  void put() {
    std::vector<BlockSpec> blocks;
    keys_.clear();
    for (uint64_t i = 0; i < kBatchBytes / block_; ++i) keys_.push_back(nth_key(series_, next_++));
    for (const Key& key : keys_) blocks.push_back({.key = key, .bytes = block_});
    auto answers = need(store_->reserve_wait({Key{}, {}, blocks}, std::chrono::seconds(30)), "reserve");
    std::vector<Reservation> filled;
    for (size_t i = 0; i < answers.size(); ++i) {
      if (answers[i].outcome != ReserveOutcome::kBuffer)
        throw CannotRun(fmt::format("reserve answered {}", int(answers[i].outcome)));
      base::copy_bytes(answers[i].reservation.bytes(), source_.block(i, block_));
      filled.push_back(std::move(answers[i].reservation));
    }
    need(store_->commit(filled), "commit");
  }
  void get() {
    const Blocks blocks = need(store_->get(keys_), "get");
    if (blocks.size() != keys_.size()) {
      throw CannotRun(fmt::format("{} of {} blocks that were just stored were delivered: {}", blocks.size(),
                                  keys_.size(), to_string(blocks.reasons()[0])));
    }
    for (size_t i = 0; i < blocks.size(); ++i) base::copy_bytes(target_.block(i, block_), blocks[i].bytes);
  }

 private:
  std::unique_ptr<Store> store_;
  const uint64_t block_, series_;
  const HugePool& source_;
  const HugePool& target_;
  std::vector<Key> keys_;
  uint64_t next_ = 0;
};

server::ServerOptions memory_server(const std::string& directory, uint64_t block, uint64_t budget) {
  std::filesystem::create_directories(directory);
  server::ServerOptions serving;
  serving.socket = socket_in(directory);
  serving.store.l1.budget = budget;
  serving.store.l1.largest_block = block;
  return serving;
}

double gb_per_second(uint64_t batches, const auto& work) {
  const Stopwatch watch;
  for (uint64_t i = 0; i < batches; ++i) work();
  return double(batches * kBatchBytes) / watch.seconds() / 1e9;
}

}  // namespace

// Store and get of one client, copies included, against memcpy of the same blocks.
void bench_server_copy(const MicroOptions& options, const DirectoryOptions& directory, uint64_t block) {
  const auto serving = memory_server(directory.path, block, base::kGiB);
  const Forked server([&] { serve_store(serving); });
  const HugePool source(kBatchBytes), target(kBatchBytes);
  CopyingClient client(directory.path, block, 21, source, target);
  const auto copy = [&] {
    for (uint64_t i = 0; i < kBatchBytes / block; ++i) {
      std::memcpy(target.block(i, block).data(), source.block(i, block).data(), block);
      asm volatile("" ::: "memory");
    }
  };
  const uint64_t batches = 16;
  Pairs put{fmt::format("server.put.{}MiB", block / base::kMiB), "GB/s", {}, {}};
  Pairs get{fmt::format("server.get.{}MiB", block / base::kMiB), "GB/s", {}, {}};
  for (int warm = 0; warm < 40; ++warm) client.put();  // the whole arena has been filled once
  for (uint32_t run = 0; run < options.runs; ++run) {
    put.ours.push_back(gb_per_second(batches, [&] { client.put(); }));
    put.theirs.push_back(gb_per_second(batches, copy));
    get.ours.push_back(gb_per_second(batches, [&] { client.get(); }));
    get.theirs.push_back(gb_per_second(batches, copy));
  }
  print_pairs(put);
  print_pairs(get);
}

// What eight clients get through together, against one alone.
void bench_server_clients(const MicroOptions& options, const DirectoryOptions& directory, uint64_t block) {
  constexpr uint64_t kClients = 8;
  const auto serving = memory_server(directory.path, block, 4 * base::kGiB);
  const Forked server([&] { serve_store(serving); });
  const HugePool source(kBatchBytes), target(kBatchBytes);
  std::vector<std::unique_ptr<CopyingClient>> clients;
  for (uint64_t i = 0; i < kClients; ++i)
    clients.push_back(std::make_unique<CopyingClient>(directory.path, block, 30 + i, source, target));
  const auto together = [&](uint64_t count, uint64_t batches) {
    const Stopwatch watch;
    {
      std::vector<std::jthread> threads;
      for (uint64_t i = 0; i < count; ++i) {
        threads.emplace_back([&client = *clients[i], batches] {
          for (uint64_t batch = 0; batch < batches; ++batch) {
            client.put();
            client.get();
          }
        });
      }
    }
    return double(count * batches * 2 * kBatchBytes) / watch.seconds() / 1e9;
  };
  // Eight clients in what there is of the arena at first would push each other's blocks out.
  const auto observer = connect_to(directory.path, "observer");
  while (observer->stats().tiers[0].allocated_bytes < serving.store.l1.budget)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  Pairs row{"server.eight_clients", "GB/s", {}, {}};
  (void)together(kClients, 4);
  for (uint32_t run = 0; run < options.runs; ++run) {
    row.ours.push_back(together(kClients, 2));
    row.theirs.push_back(together(1, 16));
  }
  print_pairs(row);
}

namespace {

// Asks of each `who` in turn, at this rate in all; p99.9 of how late after its time each answer was there.
double p999_us_at(double per_second, double seconds, size_t count, const std::function<void(size_t)>& ask) {
  constexpr size_t kAskers = 4;
  std::vector<std::vector<double>> times(kAskers);
  {
    std::vector<std::jthread> threads;
    const auto start = std::chrono::steady_clock::now();
    for (size_t asker = 0; asker < kAskers; ++asker) {
      threads.emplace_back([&, asker] {
        const auto step = std::chrono::nanoseconds(static_cast<int64_t>(1e9 * kAskers / per_second));
        auto due = start + step * asker / kAskers;
        for (size_t n = asker; due < start + std::chrono::duration<double>(seconds);
             n += kAskers, due += step) {
          std::this_thread::sleep_until(due);
          const auto begun = std::chrono::steady_clock::now();
          ask(n % count);
          times[asker].push_back(
              std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count() * 1e6);
        }
      });
    }
  }
  std::vector<double> all;
  for (const auto& some : times) all.insert(all.end(), some.begin(), some.end());
  return percentile(all, 0.999);
}

}  // namespace

// 64 sessions at 2,000 lookups a second while one more stores as fast as the disk takes it; the echo beside
// the same writer.
void bench_server_load(const MicroOptions& options, const DirectoryOptions& directory) {
  constexpr size_t kSessions = 64;
  constexpr double kRate = 2000;
  constexpr uint64_t kBlock = base::kMiB;
  auto serving = memory_server(directory.path, kBlock, base::kGiB);
  TierOptions disk;
  disk.disk.paths = {directory.path + "/store"};
  disk.disk.capacity = 4 * base::kGiB;
  serving.store.tiers = {disk};
  const EchoSizes sizes = lookup_sizes(kChain);
  const std::string echo_path = directory.path + "/echo";
  const Forked server([&] { serve_store(serving); });
  const Forked echo([&] { serve_echo(echo_path, sizes); });
  std::vector<std::unique_ptr<Store>> stores;
  std::vector<EchoClient> echoes;
  for (size_t i = 0; i < kSessions; ++i) {
    stores.push_back(connect_to(directory.path, "asking"));
    echoes.emplace_back(echo_path, sizes);
  }
  store_small_chains(*stores[0], 16);
  const auto writing = connect_to(directory.path, "writing");
  std::atomic<bool> enough = false;
  std::jthread writer([&] {
    const HugePool source(kBatchBytes);
    uint64_t next = 0;
    while (!enough) {
      std::vector<BlockSpec> blocks;
      for (int i = 0; i < 16; ++i) blocks.push_back({.key = nth_key(41, next++), .bytes = kBlock});
      auto answers = writing->reserve_wait({Key{}, {}, blocks}, std::chrono::seconds(5));
      std::vector<Reservation> filled;
      for (size_t i = 0; answers && i < answers->size(); ++i) {
        if (!(*answers)[i].reservation) continue;
        base::copy_bytes((*answers)[i].reservation.bytes(), source.block(i, kBlock));
        filled.push_back(std::move((*answers)[i].reservation));
      }
      (void)writing->commit(filled);
    }
  });
  const double seconds = options.quick ? 2 : 5;
  const auto lookup = [&](size_t n) { (void)need(stores[n]->lookup(chain_of(n % 16)), "lookup"); };
  const auto ask_echo = [&](size_t n) { echoes[n].ask(); };
  Pairs row{"server.64_sessions.p99.9", "us", {}, {}};
  for (uint32_t run = 0; run < options.runs; ++run) {
    row.ours.push_back(p999_us_at(kRate, seconds, kSessions, lookup));
    row.theirs.push_back(p999_us_at(kRate, seconds, kSessions, ask_echo));
  }
  enough = true;
  print_pairs(row);
}

// CPU of a server that nobody asks, and how long one takes from its start until it gives a buffer; `theirs`
// is the goal itself.
void bench_server_idle(const MicroOptions& options, const DirectoryOptions& directory) {
  constexpr double kIdleGoal = 0.2, kReadyGoal = 200;
  Pairs ready{"server.ready", "ms", {}, {}}, idle{"server.idle", "% CPU", {}, {}};
  for (uint32_t run = 0; run < options.runs; ++run) {
    const auto serving = memory_server(directory.path + "/" + std::to_string(run), base::kMiB, base::kGiB);
    const Stopwatch watch;
    const Forked server([&] { serve_store(serving); });
    const auto store = connect_to(directory.path + "/" + std::to_string(run), "idle");
    const BlockSpec block{.key = nth_key(51, run), .bytes = base::kMiB};
    for (;;) {
      const auto answers = need(store->reserve({Key{}, {}, std::span(&block, 1)}), "reserve");
      if (answers[0].reservation) break;
    }
    ready.ours.push_back(watch.seconds() * 1e3);
    ready.theirs.push_back(kReadyGoal);
    std::this_thread::sleep_for(std::chrono::seconds(2));  // the rest of the arena is filled
    const double before = server.cpu_seconds();
    const Stopwatch idling;
    std::this_thread::sleep_for(std::chrono::seconds(options.quick ? 3 : 10));
    idle.ours.push_back(100 * (server.cpu_seconds() - before) / idling.seconds());
    idle.theirs.push_back(kIdleGoal);
  }
  print_pairs(ready);
  print_pairs(idle);
}

}  // namespace terrace::bench
